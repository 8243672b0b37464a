#ifndef AGENT_HWID_NAMES_H
#define AGENT_HWID_NAMES_H

#include "agent/hwid.h"

/* Fill serial, wwn and by_id of `d` for the disk d->name below `root`: what
 * the rules of udev (60-persistent-storage, ata_id, scsi_id) would have made
 * of it, as far as sysfs tells. */
void hwid_names(const char *root, struct hwid_disk *d);

/* `text` as udev writes it into a name: blanks at the ends removed, runs of
 * blanks one "_", what may not stand in a name "_". Owned. */
char *hwid_udev_word(const char *text);

#endif
