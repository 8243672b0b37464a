#include <stdio.h>
#include <string.h>

#include "lib/base.h"
#include "lib/cmd.h"

#define COLUMNS 78

/* Options are not broken: "[-c CONF]" stands on one line. */
static void
print_usage(const struct cmd_program *p, const struct cmd *c, FILE *to)
{
	const char *at = c->args ? c->args : "", *next;
	int column = fprintf(to, "usage: %s %s", p->name, c->name);
	const int indent = column;

	for (; *at; at = next) {
		int len;

		next = strstr(at + 1, " [");
		next = next ? next + 1 : at + strlen(at);
		len = (int)(next - at) - (*next ? 1 : 0);
		if (column + 1 + len > COLUMNS) {
			fprintf(to, "\n%*s", indent, "");
			column = indent;
		}
		column += fprintf(to, " %.*s", len, at);
	}
	fputc('\n', to);
}

static void
print_program(const struct cmd_program *p, FILE *to)
{
	size_t i, width = 0;

	fprintf(to, "%s: %s\n\nusage: %s COMMAND [ARGUMENTS]\n\n", p->name,
		p->purpose, p->name);
	for (i = 0; i < p->len; i++)
		if (strlen(p->table[i].name) > width)
			width = strlen(p->table[i].name);
	for (i = 0; i < p->len; i++)
		fprintf(to, "  %-*s  %s\n", (int)width, p->table[i].name,
			p->table[i].help);
	fprintf(to, "\n%s help COMMAND tells more of one.\n", p->name);
	if (p->more)
		fprintf(to, "\n%s", p->more);
}

static void
print_command(const struct cmd_program *p, const struct cmd *c)
{
	print_usage(p, c, stdout);
	printf("\n%s\n", c->help);
	if (c->more)
		printf("\n%s", c->more);
}

static const struct cmd *
find(const struct cmd_program *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->len; i++)
		if (str_eq(p->table[i].name, name))
			return &p->table[i];
	return NULL;
}

static int
unknown(const struct cmd_program *p, const char *name)
{
	fprintf(stderr, "%s: no command \"%s\"; %s --help lists them\n",
		p->name, name, p->name);
	return CMD_USAGE;
}

static int
help(const struct cmd_program *p, const char *name)
{
	const struct cmd *c;

	if (!name) {
		print_program(p, stdout);
		return CMD_DONE;
	}
	c = find(p, name);
	if (!c)
		return unknown(p, name);
	print_command(p, c);
	return CMD_DONE;
}

int
cmd_main(const struct cmd_program *p, int argc, char **argv)
{
	const struct cmd *c;

	if (argc < 2) {
		print_program(p, stderr);
		return CMD_USAGE;
	}
	if (str_eq(argv[1], "--version")) {
		printf("%s %s\n", p->name, EDEPLOY_VERSION);
		return CMD_DONE;
	}
	if (str_eq(argv[1], "--help") || str_eq(argv[1], "-h") ||
	    str_eq(argv[1], "help"))
		return help(p, argc > 2 && argv[2][0] != '-' ? argv[2] : NULL);
	c = find(p, argv[1]);
	if (!c)
		return unknown(p, argv[1]);
	if (argc > 2 && (str_eq(argv[2], "--help") || str_eq(argv[2], "-h")))
		return help(p, c->name);
	return c->run(argc - 1, argv + 1);
}

int
cmd_usage(const struct cmd_program *p, const char *name)
{
	const struct cmd *c = find(p, name);

	if (c)
		print_usage(p, c, stderr);
	return CMD_USAGE;
}
