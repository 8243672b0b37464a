/* Each file is told of once, and as right only when it is: alone, among many,
 * more than fit, too large for company, of another size. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "rsyncd/crowd.h"
#include "tests/test.h"

#define MANY 2500

static struct {
	size_t told, right;
} seen[MANY];

static void
told(void *ctx, const struct manifest_entry *entry, bool right)
{
	size_t i = (size_t)(entry - (const struct manifest_entry *)ctx);

	seen[i].told++;
	seen[i].right += right;
}

/* What is done to the file after its hash was taken. */
enum harm { NONE, BYTE, SHORTER, LONGER };

static const struct {
	size_t n, size; /* sizes grow by a byte from file to file */
	size_t harmed;  /* SIZE_MAX: none */
	enum harm harm;
} rows[] = {
	{ 1, 0, SIZE_MAX, NONE },
	{ 1, 0, 0, LONGER },
	{ 1, 100, 0, BYTE },
	{ 5, 100, 4, SHORTER },
	{ 5, 100, 0, LONGER },
	{ MANY, 1, SIZE_MAX, NONE },
	{ MANY, 1, 2400, BYTE },
	{ MANY, 1, 1024, LONGER },
	{ 30, 700000, SIZE_MAX, NONE },
	{ 30, 700000, 23, BYTE },
	{ 3, 9000000, SIZE_MAX, NONE },
	{ 3, 9000000, 1, BYTE },
	{ 3, 9000000, 1, SHORTER },
	{ 3, 9000000, 2, LONGER },
};

static unsigned char bytes[9100000];

/* The file `i` of a row, with the harm done to it; -1. */
static int
make_file(size_t row, size_t i, const struct manifest_entry *x)
{
	int fd = memfd_create("crowd", MFD_CLOEXEC);
	size_t size = x->size;
	enum harm harm = i == rows[row].harmed ? rows[row].harm : NONE;
	unsigned char first = bytes[i];

	if (harm == SHORTER)
		size--;
	if (harm == BYTE)
		bytes[i] ^= 1;
	if (write(fd, bytes + i, size) != (ssize_t)size ||
	    (harm == LONGER && write(fd, "x", 1) != 1)) {
		close(fd);
		fd = -1;
	}
	bytes[i] = first;
	return fd;
}

static void
check_row(size_t row)
{
	struct manifest_entry *x = base_array(rows[row].n, sizeof(*x));
	AUTO(crowd) c = crowd_new(told, x);
	struct err e = { 0 };
	size_t i, wrong = 0;

	memset(seen, 0, sizeof(seen));
	for (i = 0; i < rows[row].n; i++) {
		int fd;

		x[i].path = "x";
		x[i].size = rows[row].size + (rows[row].size ? i : 0);
		digest_of(bytes + i, x[i].size, &x[i].hash);
		fd = make_file(row, i, &x[i]);
		wrong += fd < 0 || crowd_add(c, fd, &x[i], &e) < 0;
		close(fd);
	}
	crowd_end(c);
	for (i = 0; i < rows[row].n; i++)
		wrong += seen[i].told != 1 ||
			 seen[i].right != (i != rows[row].harmed);
	CHECK_SHOW(row, wrong == 0, "%zu of %zu; %s", wrong, rows[row].n,
		   e.text);
	free(x);
}

int
main(void)
{
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 131 + (i >> 7));
	for (i = 0; i < ARRAY_LEN(rows); i++)
		check_row(i);
	return test_end();
}
