/* Events as they come, for those who watch. */
#include "lib/clock.h"
#include "site/core.h"

#define EVENTS_AT_ONCE 500

static int
push_event(void *ctx, const struct store_event *ev)
{
	value_push(ctx, event_value(ev));
	return 0;
}

static int
read_feed(struct site *s, int64_t after, struct value *list, struct err *e)
{
	int failed;

	pthread_mutex_lock(&s->reader_lock);
	failed = store_events_after(s->reader, after, EVENTS_AT_ONCE,
				    push_event, list, e);
	pthread_mutex_unlock(&s->reader_lock);
	return failed;
}

static int
read_end(struct site *s, struct value **out, struct err *e)
{
	int64_t last = 0;
	int failed;

	pthread_mutex_lock(&s->reader_lock);
	failed = store_event_last(s->reader, &last, e);
	pthread_mutex_unlock(&s->reader_lock);
	if (failed < 0)
		return -1;
	*out = value_dict();
	value_set(*out, "events", value_list());
	value_set_int(*out, "next", last);
	return 0;
}

/* Wait until something was committed after `seen`, or `until`. */
static bool
wait_for_news(struct site *s, uint64_t seen, const struct timespec *until)
{
	bool news;

	pthread_mutex_lock(&s->news_lock);
	while (s->news == seen && !s->no_more_news &&
	       pthread_cond_timedwait(&s->news_come, &s->news_lock, until) == 0)
		;
	news = s->news != seen && !s->no_more_news;
	pthread_mutex_unlock(&s->news_lock);
	return news;
}

int
site_feed(struct site *s, int64_t after, int wait_ms, struct value **out,
	  struct err *e)
{
	const struct timespec until = clock_in(wait_ms);
	struct value *list, *feed;
	uint64_t seen;
	int64_t next = after;

	if (after < 0)
		return read_end(s, out, e);
	list = value_list();
	do {
		pthread_mutex_lock(&s->news_lock);
		seen = s->news;
		pthread_mutex_unlock(&s->news_lock);
		if (read_feed(s, after, list, e) < 0) {
			value_free(list);
			return -1;
		}
	} while (list->list.len == 0 && wait_ms > 0 &&
		 wait_for_news(s, seen, &until));
	if (list->list.len > 0)
		next = value_get_int(list->list.at[list->list.len - 1], "seq",
				     after);
	feed = value_dict();
	value_set(feed, "events", list);
	value_set_int(feed, "next", next);
	*out = feed;
	return 0;
}
