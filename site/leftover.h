#ifndef SITE_LEFTOVER_H
#define SITE_LEFTOVER_H

#include "site/conf.h"

/* When a site is opened: rename what an interrupted write left beside a .cmdb
 * file to NAME.cmdb.interrupted, and say so in the log. */
void leftovers_set_aside(const struct conf *c);

#endif
