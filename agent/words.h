#ifndef AGENT_WORDS_H
#define AGENT_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base.h"
#include "lib/err.h"

/* What a machine does at the end of a run. */
enum action {
	ACTION_REBOOT,
	ACTION_HALT,
	ACTION_CONSOLE,
	ACTION_KEXEC,
	ACTION_LOCAL /* boot_local(): boot the disk as it is */
};

/* "reboot", "halt", ...: the words of ONSUCCESS, ONFAILURE and the wire. */
const char *action_name(enum action a);

#define WORDS_MAX_BYTES 8192 /* of a kernel command line */

/* The words of the kernel command line that are meant for the agent
 * (docs/compat.md, section 1.6), each checked. Texts are never NULL unless
 * said. */
struct words {
	char *serv, *section;
	unsigned http_port;
	char *rserv, *rpath; /* rserv: SERV unless told */
	unsigned rserv_port;
	bool rsync_told; /* RSERV, RSERV_PORT or RPATH was there */
	char *hserv;     /* NULL: not given */
	char *hpath;
	unsigned hserv_port;
	char *tree; /* URL of published trees; NULL: not given */
	enum action onsuccess, onfailure; /* DEBUG=1 makes onfailure console */
	bool debug, verbose, upload_log, fakeipmi;
	char *ip; /* the list of net_rules_parse() */
	unsigned link_up_timeout_s;
	char *kexec_kernel, *os, *os_ver; /* NULL: not given */
	char *layout;    /* "plain", "versioned"; NULL: not given */
	char *boot_args; /* between | and |, "" when none */
	char *consoles;  /* the console= words of this kernel, one blank apart,
			    "" when none */
	struct value *warnings; /* list of texts: words not taken, and why */
};

/* Read a kernel command line (at most WORDS_MAX_BYTES). Nothing is evaluated;
 * the last of equal words counts, as in the kernel. A word of the first
 * eDeploy that this one does not take gives a warning, a word it does not know
 * is the kernel's own business. A bad value is ERR_INPUT naming word, value
 * and what is wanted: the rest has been read all the same, so that `out` says
 * what to do on failure. Clear `out` in any case. */
int words_parse(struct words *out, const char *cmdline, struct err *e);
void words_clear(struct words *w);

/* http://SERV:HTTP_PORT with `path` ("/v1/upload") behind it. Owned. */
char *words_url(const struct words *w, const char *path);

/* http://HOST[:PORT]/PATH or https://…, at most 255 letters, digits and
 * /._-+:[] without "..". ERR_INPUT. */
int words_tree_url_check(const char *url, struct err *e);

/* A layout's name (agent/layout.h). */
bool words_layout_ok(const char *text);

#endif
