#ifndef LIB_PROC_H
#define LIB_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/buf.h"
#include "lib/err.h"

/* Called with output as it comes (stdout and stderr together); `len` > 0. */
typedef void proc_output(void *ctx, const char *bytes, size_t len);

/* Called about twice a second while the program runs. Return non-zero to have
 * the program killed. */
typedef int proc_tick(void *ctx);

struct proc_opts {
	const char *chroot;     /* run below this directory, or NULL */
	const char *const *env; /* NULL: inherit ours */
	const char *input; /* its stdin (NUL-terminated), NULL: /dev/null */
	int deadline_ms;   /* killed after that; 0: none */
	size_t keep;       /* bytes of output kept in `out` (the last
			      ones); 0: 64 KiB */
	proc_output *output;
	proc_tick *tick;
	void *ctx;         /* for output and tick */
	bool split_stderr; /* keep stderr out of `out`; it goes to `output`
			      only */
};

struct proc {
	int status;     /* exit code; 128 + signal when a signal ended it */
	bool timed_out; /* our deadline ended it */
	struct buf out; /* the last `keep` bytes of what it said */
};

/* Run a program and wait: no shell, own process group, stdin as said, every
 * other descriptor closed. argv[0] is looked up in PATH. 0 when it ran,
 * whatever its exit code; ERR_SYS when it could not be started. Clear `out`
 * with proc_clear in any case. */
int proc_run(const char *const argv[], const struct proc_opts *opts,
	     struct proc *out, struct err *e);

/* The same, and an exit code other than 0 is ERR_SYS with the program's name,
 * its status and its last line. The output is dropped. */
int proc_ok(const char *const argv[], const struct proc_opts *opts,
	    struct err *e);

/* The last line with text of what it said, "" if none. Borrowed. */
const char *proc_last_line(const struct proc *p, char *line, size_t size);

void proc_clear(struct proc *p);

#endif
