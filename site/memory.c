/* The last good text of a site, kept in the store and so across restarts. */
#include "site/memory.h"

struct texts {
	struct text {
		char *name, *text;
	} * at;
	size_t len;
};

static void
texts_clear(struct texts *m)
{
	for (size_t i = 0; i < m->len; i++) {
		free(m->at[i].name);
		free(m->at[i].text);
	}
	free(m->at);
	*m = (struct texts){ 0 };
}

static int
add_text(void *ctx, const char *name, const char *text)
{
	struct texts *m = ctx;

	m->at = base_resize(m->at, m->len + 1, sizeof(*m->at));
	m->at[m->len++] = (struct text){ base_strdup(name), base_strdup(text) };
	return 0;
}

static const char *
text_of(const struct texts *m, const char *name)
{
	for (size_t i = 0; i < m->len; i++)
		if (str_eq(m->at[i].name, name))
			return m->at[i].text;
	return NULL;
}

/* No file has this stamp: all that is there will be read. */
static const struct stamp never = { .size = -2 };

static int
stop_at_one(void *ctx, const struct store_entry *t)
{
	(void)t;
	*(bool *)ctx = true;
	return 1;
}

int
memory_has_cmdb(struct store *store, struct profile *p, struct err *e)
{
	return store_entries(store, p->name, stop_at_one, &p->has_cmdb, e);
}

static int
remember_profile(struct store *store, const struct texts *m, struct profile *p,
		 struct err *e)
{
	AUTO_FREE char *specs = base_printf("%s.specs", p->name);
	const char *text = text_of(m, specs);
	struct err ignored = { 0 };

	if (text && patterns_parse(&p->patterns, specs, text, strlen(text),
				   &ignored) == 0)
		p->specs_text = base_strdup(text);
	p->cmdb_stamp = never;
	return memory_has_cmdb(store, p, e);
}

static struct snapshot *
remembered(struct store *store, const struct texts *m, struct err *e)
{
	AUTO(snapshot) s = base_alloc(sizeof(*s));
	const char *text = text_of(m, "state");
	struct err ignored = { 0 };

	if (!text ||
	    state_parse(&s->state, "state", text, strlen(text), &ignored) < 0)
		return STEAL(s);
	s->state_text = base_strdup(text);
	s->len = state_len(s->state);
	s->profiles = base_array(s->len, sizeof(*s->profiles));
	for (size_t i = 0; i < s->len; i++) {
		s->profiles[i].name =
			base_strdup(state_at(s->state, i)->profile);
		if (remember_profile(store, m, &s->profiles[i], e) < 0)
			return NULL;
	}
	return STEAL(s);
}

/* Every text that is good now. A CMDB is none: its entries are the store's. */
static int
each_text(const struct snapshot *s, store_each_file *each, void *ctx)
{
	if (s->state_text && each(ctx, "state", s->state_text) != 0)
		return -1;
	for (size_t i = 0; i < s->len; i++) {
		const struct profile *p = &s->profiles[i];
		AUTO_FREE char *specs = base_printf("%s.specs", p->name);

		if (p->specs_text && each(ctx, specs, p->specs_text) != 0)
			return -1;
	}
	return 0;
}

struct snapshot *
memory_load(struct store *store, struct err *e)
{
	AUTO_CLEAR(texts) m = { 0 };

	if (store_files(store, add_text, &m, e) < 0)
		return NULL;
	return remembered(store, &m, e);
}

/* ---- keeping ---- */

struct keeping {
	struct store *store;
	struct texts old, now;
	struct err *e;
};

static int
keep_text(void *ctx, const char *name, const char *text)
{
	struct keeping *k = ctx;

	add_text(&k->now, name, text);
	if (str_eq(text_of(&k->old, name), text))
		return 0;
	return store_file_put(k->store, name, text, k->e);
}

static int
drop_rest(struct keeping *k)
{
	for (size_t i = 0; i < k->old.len; i++)
		if (!text_of(&k->now, k->old.at[i].name) &&
		    store_file_put(k->store, k->old.at[i].name, NULL, k->e) < 0)
			return -1;
	return 0;
}

int
memory_keep(struct store *store, const struct snapshot *s, struct err *e)
{
	struct keeping k = { .store = store, .e = e };
	int failed = store_files(store, add_text, &k.old, e) < 0 ||
				     each_text(s, keep_text, &k) < 0 ||
				     drop_rest(&k) < 0
			     ? -1
			     : 0;

	texts_clear(&k.old);
	texts_clear(&k.now);
	return failed;
}
