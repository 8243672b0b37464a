#ifndef LIB_SWAPS_H
#define LIB_SWAPS_H

#include <stdbool.h>
#include <sys/stat.h>

/* The kernel swaps to this file now: then it lets nobody take away any of its
 * names (EPERM). */
bool swaps_has(const struct stat *st);

#endif
