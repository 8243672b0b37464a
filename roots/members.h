#ifndef ROOTS_MEMBERS_H
#define ROOTS_MEMBERS_H

/* Sets of names, "a,b,c", as in /etc/group: what either side added is there,
 * what either took away is not; ours in their order, then what theirs adds,
 * each once. Owned. */
char *members_merge(const char *base, const char *ours, const char *theirs);

#endif
