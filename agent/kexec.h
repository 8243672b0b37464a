#ifndef AGENT_KEXEC_H
#define AGENT_KEXEC_H

#include "lib/err.h"

/* Load the kernel that the tree below `root` boots (as its grub.cfg says),
 * to be started by kexec_start(). `part`: the kernel whose file name holds it,
 * or NULL. `consoles`: console= words, added when the entry has none. */
int kexec_load(const char *root, const char *part, const char *consoles,
	       struct err *e);

/* The same of a disk with versions beside one another, mounted at `top`: what
 * GRUB would start when no version is on trial. `uuid` is its file system's. */
int kexec_load_good(const char *top, const char *uuid, const char *part,
		    const char *consoles, struct err *e);

/* Start it. Returns only on failure. */
int kexec_start(struct err *e);

/* Find the disk that a run of this machine installed: mount each ext and xfs
 * file system read only without replaying its journal, look for
 * /var/lib/edeploy/conf with MACHINE=`machine` (in its good version, where it
 * has several), and load what it boots, from
 * the /boot that its fstab names by UUID if that is a file system of its own.
 * Nothing is written, and nothing stays mounted. ERR_INPUT when there is none
 * or more than one. */
int kexec_load_local(const char *machine, const char *part,
		     const char *consoles, struct err *e);

#endif
