#ifndef AGENT_FINISH_H
#define AGENT_FINISH_H

#include "agent/words.h"

struct journal;

/* Do the last thing of a run; does not return. A kernel for ACTION_KEXEC and
 * ACTION_LOCAL was loaded before; when it does not start, the machine
 * reboots. */
_Noreturn void finish(enum action action, struct journal *j);

#endif
