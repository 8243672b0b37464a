/* The first eDeploy gave these words to `eval`; here each has a rule, and a
 * value that breaks it is refused with the rule in the message. */
#include "lib/buf.h"
#include "lib/file.h"
#include "lib/num.h"
#include "lib/text.h"
#include "lib/value.h"

#include "roots/grub.h"

#include "agent/net.h"
#include "agent/words.h"

static const char *const action_names[] = { "reboot", "halt", "console",
					    "kexec", "local" };

const char *
action_name(enum action a)
{
	return action_names[a];
}

/* ---- rules: one a kind of value ---- */

static int
refuse(const char *name, const char *value, const char *wanted, struct err *e)
{
	AUTO_CLEAR(buf) shown = { 0 };

	text_show(value, strnlen(value, 60), 1, &shown);
	return err_set(e, ERR_INPUT,
		       "kernel word %s=%s: %s; correct it in the boot menu",
		       name, buf_text(&shown), wanted);
}

static int
only(const char *value, const char *more)
{
	const char *c;

	for (c = value; *c; c++)
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') &&
		    !(*c >= '0' && *c <= '9') && !strchr(more, *c))
			return 0;
	return *value && strlen(value) <= 255;
}

/* A host name, an IPv4 address, or an IPv6 address in brackets. */
static int
take_host(char **to, const char *name, const char *value, struct err *e)
{
	size_t len = strlen(value);
	bool six = *value == '[' && len > 3 && value[len - 1] == ']';
	AUTO_FREE char *inner = base_strndup(value + six, len - 2 * six);

	if (!only(inner, six ? ":." : ".-_") || *inner == '-' || *inner == '.')
		return refuse(name, value, "a host name or address is wanted",
			      e);
	free(*to);
	*to = base_strdup(value);
	return 0;
}

/* A path of a URL, glued between slashes. */
static int
take_path(char **to, const char *name, const char *value, struct err *e)
{
	if (!only(value, "/._-+") || strstr(value, ".."))
		return refuse(name, value,
			      "a path of letters, digits and /._-+ without "
			      "\"..\" is wanted",
			      e);
	free(*to);
	*to = base_strdup(value);
	return 0;
}

int
words_tree_url_check(const char *url, struct err *e)
{
	const char *host = str_starts(url, "http://")    ? url + 7
			   : str_starts(url, "https://") ? url + 8
							 : "";

	if (*host && *host != '/' && *host != ':' && only(url, "/._-+:[]") &&
	    !strstr(url, ".."))
		return 0;
	return err_set(e, ERR_INPUT,
		       "http://HOST[:PORT]/PATH (or https) is wanted, of "
		       "letters, digits and /._-+:[] without \"..\"");
}

bool
words_layout_ok(const char *text)
{
	return str_eq(text, "plain") || str_eq(text, "versioned");
}

static int
take_url(char **to, const char *name, const char *value, struct err *e)
{
	struct err why = { 0 };

	if (words_tree_url_check(value, &why) < 0)
		return refuse(name, value, why.text, e);
	free(*to);
	*to = base_strdup(value);
	return 0;
}

static int
take_name(char **to, const char *name, const char *value, struct err *e)
{
	if (!name_is_safe(value))
		return refuse(name, value,
			      "a name of at most 64 letters, digits and ._- "
			      "is wanted",
			      e);
	free(*to);
	*to = base_strdup(value);
	return 0;
}

static int
take_number(unsigned *to, const char *name, const char *value, uint64_t min,
	    uint64_t max, struct err *e)
{
	AUTO_FREE char *wanted = base_printf("a number from %u to %u is wanted",
					     (unsigned)min, (unsigned)max);
	struct err why = { 0 };
	uint64_t n;

	if (num_u64(value, min, max, &n, name, &why) < 0)
		return refuse(name, value, wanted, e);
	*to = (unsigned)n;
	return 0;
}

static int
take_action(enum action *to, const char *name, const char *value, bool kexec,
	    struct err *e)
{
	unsigned i, last = kexec ? ACTION_KEXEC : ACTION_CONSOLE;

	for (i = 0; i <= last; i++)
		if (str_eq(value, action_names[i])) {
			*to = (enum action)i;
			return 0;
		}
	return refuse(name, value,
		      kexec ? "reboot, halt, console or kexec is wanted"
			    : "reboot, halt or console is wanted",
		      e);
}

static int
take_layout(char **to, const char *name, const char *value, struct err *e)
{
	if (!words_layout_ok(value))
		return refuse(name, value, "plain or versioned is wanted", e);
	free(*to);
	*to = base_strdup(value);
	return 0;
}

static int
take_ip(struct words *w, const char *value, struct err *e)
{
	struct net_rules rules = { 0 };
	struct err why = { 0 };
	int bad = net_rules_parse(&rules, value, &why);

	net_rules_clear(&rules);
	if (bad)
		return refuse("IP", value, why.text, e);
	free(w->ip);
	w->ip = base_strdup(value);
	return 0;
}

/* ---- the table ---- */

enum word {
	SERV,
	HTTP_PORT,
	SECTION,
	RSERV,
	RSERV_PORT,
	RPATH,
	HSERV,
	HSERV_PORT,
	HPATH,
	TREE,
	ONSUCCESS,
	ONFAILURE,
	DEBUG,
	VERBOSE,
	UPLOAD_LOG,
	IP,
	LINK_UP_TIMEOUT,
	KEXEC_KERNEL,
	OS,
	OS_VER,
	LAYOUT,
	FAKEIPMI,
	CONSOLE,
	NOT_TAKEN
};

static const struct {
	const char *name;
	enum word word;
	const char *why_not; /* of NOT_TAKEN: what to do instead */
} table[] = {
	{ "SERV", SERV, NULL },
	{ "HTTP_PORT", HTTP_PORT, NULL },
	{ "SECTION", SECTION, NULL },
	{ "RSERV", RSERV, NULL },
	{ "RSERV_PORT", RSERV_PORT, NULL },
	{ "RPATH", RPATH, NULL },
	{ "HSERV", HSERV, NULL },
	{ "HSERV_PORT", HSERV_PORT, NULL },
	{ "HPATH", HPATH, NULL },
	{ "TREE", TREE, NULL },
	{ "tree", TREE, NULL },
	{ "ONSUCCESS", ONSUCCESS, NULL },
	{ "ONFAILURE", ONFAILURE, NULL },
	{ "DEBUG", DEBUG, NULL },
	{ "VERBOSE", VERBOSE, NULL },
	{ "UPLOAD_LOG", UPLOAD_LOG, NULL },
	{ "IP", IP, NULL },
	{ "LINK_UP_TIMEOUT", LINK_UP_TIMEOUT, NULL },
	{ "KEXEC_KERNEL", KEXEC_KERNEL, NULL },
	{ "OS", OS, NULL },
	{ "OS_VER", OS_VER, NULL },
	{ "LAYOUT", LAYOUT, NULL },
	{ "FAKEIPMI", FAKEIPMI, NULL },
	{ "console", CONSOLE, NULL },
	{ "HTTP_PATH", NOT_TAKEN,
	  "the agent asks /v1/upload on SERV:HTTP_PORT; a proxy in front "
	  "passes /v1/ on" },
	{ "EMBEDDED", NOT_TAKEN,
	  "installing without a server is not there: boot by PXE" },
	{ "DISCO", NOT_TAKEN,
	  "facts go to edeployd only; \"edeploy-agent detect\" prints them" },
	{ "NO_CLOUD_INIT", NOT_TAKEN,
	  "169.254.169.254 is never asked, so there is nothing to forbid" },
	{ "NOCONSOLE", NOT_TAKEN, "use ONFAILURE=halt or reboot" },
	{ "NOREBOOT", NOT_TAKEN, "use ONSUCCESS=console" },
	{ "SESSION", NOT_TAKEN, "the health check is not part of this agent" },
	{ "RBENCH", NOT_TAKEN, "the health check is not part of this agent" },
	{ "USBBOOT", NOT_TAKEN, "the health check is not part of this agent" },
	{ "SMOKE", NOT_TAKEN, "the health check is not part of this agent" },
	{ "DESTRUCTIVE_MODE", NOT_TAKEN,
	  "the health check is not part of this agent" },
	{ "NONETWORKTEST", NOT_TAKEN,
	  "the health check is not part of this agent" },
};

static void
warn_not_taken(struct words *w, const char *name, const char *why)
{
	AUTO_FREE char *text =
		base_printf("kernel word %s is not taken: %s", name, why);

	value_push(w->warnings, value_str(text));
}

static void
add_console(struct words *w, const char *value)
{
	char *longer = base_printf("%s%sconsole=%s", w->consoles,
				   *w->consoles ? " " : "", value);

	free(w->consoles);
	w->consoles = longer;
}

static int
take_switch(bool *to, const char *name, const char *value, struct err *e)
{
	if (!str_eq(value, "0") && !str_eq(value, "1"))
		return refuse(name, value, "0 or 1 is wanted", e);
	*to = *value == '1';
	return 0;
}

/* One word of the table with its value. */
static int
take(struct words *w, enum word word, const char *name, const char *v,
     struct err *e)
{
	switch (word) {
	case SERV:
		return take_host(&w->serv, name, v, e);
	case HTTP_PORT:
		return take_number(&w->http_port, name, v, 1, 65535, e);
	case SECTION:
		return take_name(&w->section, name, v, e);
	case RSERV:
		w->rsync_told = true;
		return take_host(&w->rserv, name, v, e);
	case RSERV_PORT:
		w->rsync_told = true;
		return take_number(&w->rserv_port, name, v, 1, 65535, e);
	case RPATH:
		w->rsync_told = true;
		return take_path(&w->rpath, name, v, e);
	case HSERV:
		return take_host(&w->hserv, name, v, e);
	case HSERV_PORT:
		return take_number(&w->hserv_port, name, v, 1, 65535, e);
	case HPATH:
		return take_path(&w->hpath, name, v, e);
	case TREE:
		return take_url(&w->tree, name, v, e);
	case ONSUCCESS:
		return take_action(&w->onsuccess, name, v, true, e);
	case ONFAILURE:
		return take_action(&w->onfailure, name, v, false, e);
	case DEBUG:
		return take_switch(&w->debug, name, v, e);
	case VERBOSE:
		return take_switch(&w->verbose, name, v, e);
	case UPLOAD_LOG:
		/* anything but 1 disabled it, and menus rely on that */
		w->upload_log = str_eq(v, "1");
		return 0;
	case IP:
		return take_ip(w, v, e);
	case LINK_UP_TIMEOUT:
		return take_number(&w->link_up_timeout_s, name, v, 0, 600, e);
	case KEXEC_KERNEL:
		return take_name(&w->kexec_kernel, name, v, e);
	case OS:
		return take_name(&w->os, name, v, e);
	case OS_VER:
		return take_name(&w->os_ver, name, v, e);
	case LAYOUT:
		return take_layout(&w->layout, name, v, e);
	case FAKEIPMI:
		w->fakeipmi = true;
		return 0;
	case CONSOLE:
		add_console(w, v);
		return 0;
	case NOT_TAKEN:
		break;
	}
	return 0;
}

/* `word` is NAME=value or NAME, and may be cut apart. */
static int
take_word(struct words *w, char *word, struct err *e)
{
	char *value = strchr(word, '=');
	size_t i;

	if (value)
		*value++ = '\0';
	for (i = 0; i < ARRAY_LEN(table); i++) {
		if (!str_eq(word, table[i].name))
			continue;
		if (table[i].word == NOT_TAKEN) {
			warn_not_taken(w, word, table[i].why_not);
			return 0;
		}
		if (table[i].word == FAKEIPMI)
			return take(w, FAKEIPMI, word, "", e);
		/* NAME= meant the default in the original's menus */
		if (!value || !*value)
			return 0;
		return take(w, table[i].word, word, value, e);
	}
	return 0;
}

/* Cut what stands between the first two pipes out of the text. */
static int
take_pipes(struct words *w, char *text, struct err *e)
{
	char *from = strchr(text, '|'), *to;

	if (!from)
		return 0;
	to = strchr(from + 1, '|');
	if (!to)
		return err_set(e, ERR_INPUT,
			       "kernel words: a \"|\" opens the boot arguments "
			       "and no second one closes them");
	*to = '\0';
	free(w->boot_args);
	w->boot_args = base_strdup(text_trim(from + 1));
	memset(from, ' ', (size_t)(to - from) + 1);
	return grub_args_check(w->boot_args, "kernel words between pipes", e);
}

static void
set_defaults(struct words *w)
{
	*w = (struct words){ .serv = base_strdup("10.0.0.1"),
			     .http_port = 80,
			     .section = base_strdup("SERVER"),
			     .rserv_port = 873,
			     .rpath = base_strdup("install"),
			     .hserv_port = 80,
			     .hpath = base_strdup("install"),
			     .onsuccess = ACTION_REBOOT,
			     .onfailure = ACTION_HALT,
			     .upload_log = true,
			     .ip = base_strdup("all:dhcp"),
			     .link_up_timeout_s = 10,
			     .boot_args = base_strdup(""),
			     .consoles = base_strdup(""),
			     .warnings = value_list() };
}

int
words_parse(struct words *out, const char *cmdline, struct err *e)
{
	AUTO_FREE char *text = NULL;
	struct err first = { 0 }, one = { 0 };
	char *at, *word;
	int bad;

	set_defaults(out);
	if (strlen(cmdline) > WORDS_MAX_BYTES)
		return err_set(e, ERR_INPUT,
			       "the kernel command line is longer than %d "
			       "bytes",
			       WORDS_MAX_BYTES);
	text = base_strdup(cmdline);
	bad = take_pipes(out, text, &first) < 0;
	for (at = text; (word = strtok_r(at, " \t\r\n", &at));)
		if (take_word(out, word, &one) < 0 && !bad) {
			first = one;
			bad = 1;
		}
	if (!out->rserv)
		out->rserv = base_strdup(out->serv);
	if (out->debug)
		out->onfailure = ACTION_CONSOLE;
	if (bad)
		*e = first;
	return bad ? -1 : 0;
}

void
words_clear(struct words *w)
{
	free(w->serv);
	free(w->section);
	free(w->rserv);
	free(w->rpath);
	free(w->hserv);
	free(w->hpath);
	free(w->tree);
	free(w->ip);
	free(w->kexec_kernel);
	free(w->os);
	free(w->os_ver);
	free(w->layout);
	free(w->boot_args);
	free(w->consoles);
	value_free(w->warnings);
	*w = (struct words){ 0 };
}

char *
words_url(const struct words *w, const char *path)
{
	return base_printf("http://%s:%u%s", w->serv, w->http_port, path);
}
