#include <stdio.h>

#include "cli/options.h"
#include "lib/base.h"
#include "lib/num.h"
#include "lib/text.h"

static int
bad_usage(const char *command, const char *word, const char *what)
{
	AUTO_CLEAR(buf) shown = { 0 };

	if (word) {
		text_show(word, strlen(word), 1, &shown);
		buf_char(&shown, ' ');
	}
	fprintf(stderr, "edeployctl %s: %s%s; edeployctl help %s tells more\n",
		command, buf_text(&shown), what, command);
	return -1;
}

static int
take_listed(const struct option *o, const char *command, const char *word)
{
	size_t i;

	for (i = 0; o->list[i]; i++)
		;
	if (i == o->most)
		return bad_usage(command, o->name, "is said too often");
	o->list[i] = word;
	return 2;
}

/* How many words it is; -1: said. */
static int
take_said(const struct option *o, const char *command, const char *word)
{
	struct err e = { 0 };

	if (o->flag) {
		*o->flag = true;
		return 1;
	}
	if (!word)
		return bad_usage(command, o->name, "wants a value");
	if (o->list)
		return take_listed(o, command, word);
	if (o->value)
		*o->value = word;
	else if (num_i64(word, o->min, o->max, o->number, o->name, &e) < 0)
		return bad_usage(command, NULL, e.text);
	return 2;
}

/* The same, and 0 for what is no option. */
static int
take_option(const struct option *row, size_t rows, const char *command,
	    char **argv)
{
	size_t i;

	if (argv[0][0] != '-' || !argv[0][1])
		return 0;
	for (i = 0; i < rows; i++)
		if (!row[i].absent && str_eq(argv[0], row[i].name))
			return take_said(&row[i], command, argv[1]);
	return bad_usage(command, argv[0], "is not an option of it");
}

int
options_take(const struct option *row, size_t rows, int argc, char **argv,
	     int least, int most)
{
	int i, took, words = 0;

	for (i = 1; i < argc; i += took ? took : 1) {
		took = take_option(row, rows, argv[0], argv + i);
		if (took < 0)
			return -1;
		if (took > 0)
			continue;
		if (words == most)
			return bad_usage(argv[0], argv[i],
					 "is one word too many");
		argv[++words] = argv[i];
	}
	argv[words + 1] = NULL;
	if (words < least)
		return bad_usage(argv[0], NULL, "a word is missing");
	return words;
}
