/* /etc/edeploy.conf. Unknown keys are refused: a misspelled CONFIGDIR must not
 * silently mean its default. */
#include <stdio.h>

#include "lib/file.h"
#include "lib/ini.h"
#include "site/conf.h"

struct key {
	const char *name;
	size_t at; /* of the char * in struct conf */
	bool is_path;
};

static const struct key keys[] = {
	{ "CONFIGDIR", offsetof(struct conf, configdir), true },
	{ "HWDIR", offsetof(struct conf, hwdir), true },
	{ "LOGDIR", offsetof(struct conf, logdir), true },
	{ "LOCKFILE", offsetof(struct conf, lockfile), true },
	{ "METADATAURL", offsetof(struct conf, metadataurl), false },
	{ "STOREDIR", offsetof(struct conf, storedir), true },
	{ "BOOTDIR", offsetof(struct conf, bootdir), true },
	{ "TREES", offsetof(struct conf, trees), true },
	{ "SOCKET", offsetof(struct conf, socket), true },
	{ "LISTEN", offsetof(struct conf, listen), false },
	{ "FASTCGI", offsetof(struct conf, fastcgi), true },
};

static char **
slot_of(struct conf *c, const struct key *k)
{
	return (char **)(void *)((char *)c + k->at);
}

static struct conf *
section_of(struct confs *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->len; i++)
		if (str_eq(c->at[i].section, name))
			return &c->at[i];
	c->at = base_resize(c->at, c->len + 1, sizeof(*c->at));
	c->at[c->len] = (struct conf){ .section = base_strdup(name) };
	return &c->at[c->len++];
}

/* A relative path would mean another folder for each way to start it. */
static int
check_value(const struct key *k, const char *value, struct err *e)
{
	const char *p = value;

	while ((unsigned char)*p >= ' ' && *p != 0x7f)
		p++;
	if (!*value)
		return err_set(e, ERR_INPUT, "%s is empty", k->name);
	if (*p)
		return err_set(e, ERR_INPUT, "%s has a control character",
			       k->name);
	if (k->is_path && *value != '/')
		return err_set(e, ERR_INPUT, "%s = %.60s: a path begins with /",
			       k->name, value);
	return 0;
}

/* Keys of the first eDeploy that mean nothing here. */
static int
check_old(const char *key, struct err *e)
{
	if (str_eq(key, "USEPXEMNGR") || str_eq(key, "PXEMNGRURL"))
		return err_set(
			e, ERR_INPUT,
			"%s is not taken over: machines ask /boot.ipxe, which "
			"boots the disk of an installed one; remove the key",
			key);
	if (str_eq(key, "HEALTHDIR"))
		return err_set(
			e, ERR_INPUT,
			"HEALTHDIR: health checks are not served; remove it");
	return 0;
}

static int
take_key(void *ctx, const char *section, const char *key, const char *value,
	 struct err *e)
{
	struct confs *all = ctx;
	struct conf *c;
	size_t i;

	if (!name_is_safe(section))
		return err_set(
			e, ERR_INPUT,
			"keys stand in a [SECTION] of A-Z a-z 0-9 . _ -");
	if (check_old(key, e) < 0)
		return -1;
	c = section_of(all, section);
	for (i = 0; i < ARRAY_LEN(keys); i++) {
		char **slot = slot_of(c, &keys[i]);

		if (!str_eq(keys[i].name, key))
			continue;
		if (*slot)
			return err_set(e, ERR_INPUT, "%s is there twice", key);
		if (check_value(&keys[i], value, e) < 0)
			return -1;
		*slot = base_strdup(value);
		return 0;
	}
	return err_set(e, ERR_INPUT, "no key is called %.60s", key);
}

static void
set_default(char **slot, char *text)
{
	if (*slot)
		free(text);
	else
		*slot = text;
}

static void
fill(struct conf *c)
{
	const char *s = c->section;

	set_default(&c->configdir, base_strdup("/etc/edeploy"));
	set_default(&c->logdir, base_printf("/var/log/edeployd/%s", s));
	set_default(&c->lockfile, base_printf("/run/edeploy/%s.lock", s));
	set_default(&c->storedir, base_printf("/var/lib/edeployd/%s", s));
	set_default(&c->bootdir, base_printf("/var/lib/edeployd/boot"));
	set_default(&c->socket, base_printf("/run/edeploy/%s.sock", s));
}

int
confs_read(struct confs **out, const char *path, struct err *e)
{
	AUTO(confs) c = base_alloc(sizeof(*c));
	size_t i;

	if (ini_read(path, take_key, c, e) < 0)
		return -1;
	if (c->len == 0)
		return err_set(
			e, ERR_INPUT,
			"%s: no section; write at least \"[SERVER]\" and "
			"\"CONFIGDIR = /etc/edeploy\"",
			path);
	for (i = 0; i < c->len; i++)
		fill(&c->at[i]);
	*out = STEAL(c);
	return 0;
}

const struct conf *
confs_find(const struct confs *c, const char *section)
{
	size_t i;

	for (i = 0; i < c->len; i++)
		if (str_eq(c->at[i].section, section))
			return &c->at[i];
	return NULL;
}

struct confs *
confs_of_site(const char *dir)
{
	struct confs *c = base_alloc(sizeof(*c));
	struct conf *only = section_of(c, "SERVER");

	only->configdir = base_strdup(dir);
	fill(only);
	return c;
}

void
confs_free(struct confs *c)
{
	size_t i, k;

	for (i = 0; c && i < c->len; i++) {
		free(c->at[i].section);
		for (k = 0; k < ARRAY_LEN(keys); k++)
			free(*slot_of(&c->at[i], &keys[k]));
	}
	if (c)
		free(c->at);
	free(c);
}
