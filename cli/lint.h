#ifndef CLI_LINT_H
#define CLI_LINT_H

#include "lib/value.h"
#include "site/conf.h"

/* Have each profile's script compiled by edeploy-agent, which runs nothing of
 * it, and add to `problems` what is no Lua, and what it reads of `var` that
 * nobody writes there. `names` is site_judge's. */
void lint_scripts(const struct conf *c, const struct value *names,
		  struct value *problems);

#endif
