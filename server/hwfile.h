#ifndef SERVER_HWFILE_H
#define SERVER_HWFILE_H

#include "site/conf.h"
#include "specs/facts.h"

/* Keep an upload as HWDIR/NAME.hw, a literal list of tuples as the first
 * eDeploy's tools read it; replaced atomically. Does nothing when HWDIR is
 * not set. A failure is logged: it is no reason to send a machine away. */
void hwfile_keep(const struct conf *c, const struct facts *f);

#endif
