#ifndef RSYNCD_INODES_H
#define RSYNCD_INODES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* The inodes that files of a tree have: two files of its manifest must not be
 * one on the disk, or what is written into one is in the other, too. */
struct inodes;

/* Room for as many notes. */
struct inodes *inodes_new(size_t entries);
void inodes_free(struct inodes *n);

/* Entry number `entry` is this file; by several threads. One that has no second
 * name is not kept. */
void inodes_note(struct inodes *n, const struct stat *st, size_t entry);

/* When all are noted: call for each entry whose file an earlier one of the tree
 * has already. */
void inodes_joined(struct inodes *n, void (*each)(void *ctx, size_t entry),
		   void *ctx);

/* After that: an entry has this file. */
bool inodes_has(const struct inodes *n, const struct stat *st);

#endif
