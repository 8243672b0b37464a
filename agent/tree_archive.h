#ifndef AGENT_TREE_ARCHIVE_H
#define AGENT_TREE_ARCHIVE_H

#include "agent/tree.h"

/* Unpack the archive at the URL choice->other (a tar, plain or gzip, as the
 * first eDeploy makes it: owners by number, extended attributes, ACLs, SELinux
 * labels) into o->into. Nothing signs it. A broken connection is taken up where
 * it broke. ERR_PEER: the server has it not, or damaged; ERR_SYS. */
int tree_archive(const struct tree_opts *o, struct err *e);

/* Unpack what comes from `fd` into the folder `into`, nothing of it beside that
 * and nothing through a link. For a process of its own: folder and umask
 * change. ERR_INPUT: no tar, cut or damaged; ERR_SYS. */
int tree_unpack(int fd, const char *into, struct err *e);

#endif
