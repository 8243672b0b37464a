#ifndef ROOTS_PRISTINE_H
#define ROOTS_PRISTINE_H

#include "lib/err.h"

/* The accounts' files of a version as its tree brought them: what the next
 * merge of accounts starts from, since a manifest keeps hashes only. `folder`
 * is the record beside the root (roots/VERSION.record): `root`/etc/passwd
 * becomes `folder`/etc/passwd, of root's alone. Called when the tree was
 * brought, before anybody changes it. ERR_SYS; ERR_INPUT (a file larger than
 * ACCOUNTS_TEXT_MAX). */
int pristine_keep(const char *root, const char *folder, struct err *e);

#endif
