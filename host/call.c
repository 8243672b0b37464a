#include <stdio.h>

#include "lib/file.h"

#include "host/call.h"
#include "host/show.h"

static bool
say_usage(const struct call_takes *takes)
{
	AUTO_FREE char *usage = base_printf(
		"usage: edeploy %s [--json] [--root DIR]", takes->usage);

	show_words(stderr, usage, 0);
	return false;
}

static bool
is_taken(const struct call_takes *takes, const char *option)
{
	AUTO_FREE char *all =
		base_printf(" %s ", takes->options ? takes->options : "");
	AUTO_FREE char *one = base_printf(" %s ", option);

	return strstr(all, one) != NULL;
}

/* False: it is none, or not one of this command. */
static bool
take_flag(struct call *c, const struct call_takes *takes, const char *option)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = { { "--allow-downgrade", &c->allow_downgrade },
		      { "--at-boot", &c->at_boot },
		      { "--live", &c->live },
		      { "--fix", &c->fix },
		      { "--strangers", &c->strangers },
		      { "--strict", &c->strict },
		      { "--wait", &c->wait } };
	size_t i;

	if (str_eq(option, "--json"))
		return c->host.json = true;
	for (i = 0; i < ARRAY_LEN(flags); i++)
		if (str_eq(option, flags[i].name) && is_taken(takes, option))
			return *flags[i].flag = true;
	return false;
}

bool
call_parse(struct call *c, int argc, char **argv,
	   const struct call_takes *takes)
{
	int i;

	*c = (struct call){ .host.root = "" };
	for (i = 1; i < argc; i++) {
		if (str_eq(argv[i], "--root") && i + 1 < argc)
			c->host.root = argv[++i];
		else if (str_eq(argv[i], "--install") && i + 1 < argc &&
			 is_taken(takes, argv[i]))
			c->install = argv[++i];
		else if (*argv[i] != '-' && c->words < CALL_WORDS)
			c->word[c->words++] = argv[i];
		else if (!take_flag(c, takes, argv[i]))
			return say_usage(takes);
	}
	if (str_eq(c->host.root, "/"))
		c->host.root = "";
	if (c->words < takes->least || c->words > takes->most)
		return say_usage(takes);
	return true;
}

/* What every user may read is read where it is; boot.cfg is root's. */
int
call_open(struct call *c, struct err *e)
{
	AUTO_FREE char *root = NULL;
	AUTO_FREE char *under_way = NULL;
	int is = versioned_open(&c->on, c->host.root, e);

	if (is < 0)
		return -1;
	c->is_versioned = is > 0;
	root = is && *c->host.root ? versioned_here(&c->on)
				   : base_strdup(c->host.root);
	if (conf_read(&c->host.conf, root, e) < 0)
		return -1;
	under_way = is ? NULL : upgrade_under_way(&c->host);
	if (under_way)
		show_say("warning: ", under_way);
	return 0;
}

void
call_clear(struct call *c)
{
	conf_clear(&c->host.conf);
	versioned_clear(&c->on);
}

int
call_fail(const struct err *e)
{
	show_say("", e->text);
	return CMD_FAILED;
}

void
call_print(struct value *v)
{
	AUTO_CLEAR(buf) text = { 0 };

	value_json(v, 2, &text);
	printf("%s\n", buf_text(&text));
	value_free(v);
}
