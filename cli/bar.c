#include "cli/bar.h"
#include "lib/base.h"

#define BAR_MIN 10
#define BAR_MAX 40

/* Powers of 1000, as wires and disks are sold. */
static void
put_size(int64_t n, const char *small, struct buf *out)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB" };
	double size = (double)(n < 0 ? 0 : n);
	size_t i;

	if (n < 1000 && small) {
		buf_printf(out, "%lld %s", (long long)(n < 0 ? 0 : n), small);
		return;
	}
	/* 999.95 would be printed as 1000.0 */
	for (i = 0, size /= 1000; size >= 999.95 && i + 1 < ARRAY_LEN(units);
	     i++)
		size /= 1000;
	buf_printf(out, i == 0 && !small ? "%.0f %s" : "%.1f %s", size,
		   units[i]);
}

void
bar_rate(int64_t bytes_per_s, struct buf *out)
{
	put_size(bytes_per_s, NULL, out);
	buf_str(out, "/s");
}

void
bar_bytes(int64_t bytes, struct buf *out)
{
	put_size(bytes, "B", out);
}

void
bar_time(int64_t seconds, struct buf *out)
{
	long long s = seconds < 0 ? 0 : (long long)seconds;

	if (s > 4 * 86400)
		buf_printf(out, "%lld d", s / 86400);
	else if (s >= 3600)
		buf_printf(out, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60,
			   s % 60);
	else
		buf_printf(out, "%lld:%02lld", s / 60, s % 60);
}

/* The words with the first `count` of rate and time. */
static void
put_words(const struct bar *b, int count, struct buf *out)
{
	int64_t percent = b->percent > 100 ? 100 : b->percent;

	if (percent >= 0)
		buf_printf(out, "%3lld %%", (long long)percent);
	if (count > 0 && b->bytes_per_s > 0) {
		buf_str(out, "  ");
		bar_rate(b->bytes_per_s, out);
	}
	if (count > 1 && b->left_s >= 0 && percent < 100) {
		buf_str(out, "  ");
		bar_time(b->left_s, out);
		buf_str(out, " left");
	}
}

void
bar_words(const struct bar *b, struct buf *out)
{
	AUTO_CLEAR(buf) words = { 0 };

	put_words(b, 2, &words);
	buf_str(out, buf_text(&words) + strspn(buf_text(&words), " "));
}

static void
put_bar(int64_t percent, size_t width, struct buf *out)
{
	size_t full = (size_t)(percent > 100 ? 100 : percent) * width / 100, i;

	buf_char(out, '[');
	for (i = 0; i < width; i++)
		buf_char(out, i < full ? '#' : '.');
	buf_str(out, "] ");
}

void
bar_line(const struct bar *b, size_t columns, struct buf *out)
{
	/* as wide as rate and time ever are, so that the bar stands still */
	const size_t words = strlen("100 %  112.4 MB/s  12:34 left");
	const size_t frame = strlen("[] ");
	int count = 2;

	if (b->percent >= 0 && columns >= words + frame + BAR_MIN) {
		size_t width = columns - words - frame;

		put_bar(b->percent, width > BAR_MAX ? BAR_MAX : width, out);
		columns = words;
	}
	for (; count >= 0; count--) {
		AUTO_CLEAR(buf) text = { 0 };

		put_words(b, count, &text);
		if (text.len <= columns) {
			buf_str(out, buf_text(&text));
			return;
		}
	}
}
