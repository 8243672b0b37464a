/* Small changes that several flows make, on the writer thread. */
#include "lib/clock.h"
#include "lib/json.h"
#include "site/core.h"

void
entry_changed(struct site *s, const char *profile, int64_t entry)
{
	if ((s->changed_len & (s->changed_len - 1)) == 0)
		s->changed = base_resize(
			s->changed, s->changed_len ? 2 * s->changed_len : 1,
			sizeof(*s->changed));
	s->changed[s->changed_len++] =
		(struct changed_entry){ base_strdup(profile), entry };
}

/* As it stood before it was claimed: the machine's own words, its MAC above
 * all, would keep it reserved. An entry that the operator deleted meanwhile is
 * not given to anybody. */
static int
free_entry(struct site *s, struct store_entry *t, struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *v = NULL;
	AUTO_CLEAR(buf) json = { 0 };

	if (json_parse(&v, t->origin, strlen(t->origin), e) < 0)
		return -1;
	value_unset(v, "used");
	value_json(v, 0, &json);
	free(t->fields);
	t->fields = buf_take(&json);
	t->used = false;
	t->machine = 0;
	t->gone = t->position < 0;
	t->gen++;
	entry_changed(s, t->profile, t->id);
	return store_entry_put(s->writer, t, e);
}

int
entry_release(struct site *s, int64_t id, int64_t machine, struct err *e)
{
	struct store_entry t = { 0 };
	bool found = false;
	int failed = 0;

	if (store_entry_get(s->writer, id, &t, &found, e) < 0)
		return -1;
	if (found && t.machine == machine)
		failed = free_entry(s, &t, e);
	store_entry_clear(&t);
	return failed;
}

int
note_event(struct site *s, int64_t machine, const char *kind, const char *text,
	   struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *body = value_dict();
	AUTO_CLEAR(buf) json = { 0 };
	struct store_event ev = { .run = (char *)(uintptr_t) "-",
				  .machine = machine,
				  .number = ++s->own_number,
				  .at_ms = clock_wall_ms(),
				  .kind = (char *)(uintptr_t)kind };

	value_set_str(body, "text", text);
	value_json(body, 0, &json);
	ev.body = json.at;
	return store_event_add(s->writer, &ev, e);
}
