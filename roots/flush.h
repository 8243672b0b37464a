#ifndef ROOTS_FLUSH_H
#define ROOTS_FLUSH_H

#include "lib/err.h"

/* GRUB reads a file system as it stands on the disk and replays no journal: a
 * file that was renamed and synced is, to it, still the old one. After flush()
 * it sees what Linux sees, all that was written to the file system of `dir`
 * before.
 *
 * ext4: syncfs, then EXT4_IOC_CHECKPOINT (Linux 5.14), which empties the
 * journal in 13 to 33 ms. xfs, and ext4 of older kernels: FIFREEZE and at once
 * FITHAW, by a child that thaws even when the caller is killed. btrfs: syncfs
 * commits, and GRUB reads the last commit. vfat: syncfs. ERR_SYS; ERR_REFUSED
 * for a file system where none of this is known to help. */
int flush(const char *dir, struct err *e);

#endif
