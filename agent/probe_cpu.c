/* Processors: sockets as physical_0, physical_1, … with the words lshw had
 * for them, and how many logical ones the kernel runs. /proc/cpuinfo is the
 * source; the firmware's table adds clocks, which the kernel only guesses. */
#include <inttypes.h>
#include <stdio.h>

#include "agent/probe.h"
#include "agent/probe_dmi.h"
#include "agent/sysfs.h"
#include "lib/base.h"
#include "lib/num.h"
#include "lib/text.h"

#define SOCKETS_MAX 256
#define CPUINFO_MAX_LINE 8192

enum cpu_word {
	CPU_VENDOR,
	CPU_PRODUCT,
	CPU_FAMILY,
	CPU_MODEL,
	CPU_STEPPING,
	CPU_CORES,
	CPU_SIBLINGS,
	CPU_FLAGS,
	CPU_WORDS
};

static const char *const keys[CPU_WORDS] = {
	[CPU_VENDOR] = "vendor_id",  [CPU_PRODUCT] = "model name",
	[CPU_FAMILY] = "cpu family", [CPU_MODEL] = "model",
	[CPU_STEPPING] = "stepping", [CPU_CORES] = "cpu cores",
	[CPU_SIBLINGS] = "siblings", [CPU_FLAGS] = "flags",
};

struct socket {
	unsigned id;      /* the kernel's "physical id" */
	unsigned logical; /* processors seen of it */
	char *word[CPU_WORDS];
};

struct cpus {
	struct socket socket[SOCKETS_MAX]; /* sorted by id */
	size_t len;
	unsigned logical;
};

/* One record of /proc/cpuinfo. */
struct record {
	char *word[CPU_WORDS]; /* borrowed from the line */
	char *number, *physical;
};

static void
record_line(struct record *r, char *line)
{
	char *colon = strchr(line, ':');
	char *value;
	size_t i;

	if (!colon)
		return;
	*colon = '\0';
	line = text_trim(line);
	value = text_trim(colon + 1);
	if (str_eq(line, "processor"))
		r->number = value;
	else if (str_eq(line, "physical id"))
		r->physical = value;
	for (i = 0; i < CPU_WORDS; i++)
		if (str_eq(line, keys[i]))
			r->word[i] = value;
}

/* Its socket: a kernel for ARM does not say it in cpuinfo. */
static unsigned
record_socket(const char *root, const struct record *r)
{
	AUTO_FREE char *line = NULL;
	const char *text = r->physical;
	struct err e = { 0 };
	uint64_t id = 0;

	if (!text)
		text = line = sys_line(root,
				       "/sys/devices/system/cpu/cpu%s/"
				       "topology/physical_package_id",
				       r->number);
	if (!text || num_u64(text, 0, UINT32_MAX, &id, "physical id", &e) < 0)
		return 0;
	return (unsigned)id;
}

/* The socket with that id, made in its place when it is new; NULL when there
 * are too many. */
static struct socket *
socket_get(struct cpus *c, unsigned id)
{
	size_t i = 0;

	while (i < c->len && c->socket[i].id < id)
		i++;
	if (i < c->len && c->socket[i].id == id)
		return &c->socket[i];
	if (c->len == SOCKETS_MAX)
		return NULL;
	memmove(&c->socket[i + 1], &c->socket[i],
		(c->len - i) * sizeof(c->socket[0]));
	c->socket[i] = (struct socket){ .id = id };
	c->len++;
	return &c->socket[i];
}

static void
record_end(const char *root, struct cpus *c, struct record *r)
{
	struct socket *s;
	size_t i;

	if (r->number && (s = socket_get(c, record_socket(root, r)))) {
		c->logical++;
		s->logical++;
		for (i = 0; i < CPU_WORDS; i++)
			if (!s->word[i] && r->word[i])
				s->word[i] = base_strdup(r->word[i]);
	}
	*r = (struct record){ 0 };
}

/* Large machines have megabytes of cpuinfo, so it is read record by record. */
static int
read_cpuinfo(const char *root, struct cpus *c, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/proc/cpuinfo", root);
	AUTO_CLEAR(buf) kept = { 0 };
	FILE *f = fopen(path, "re");
	char line[CPUINFO_MAX_LINE];
	bool more = true;

	if (!f)
		return err_sys(e, "open %s", path);
	while (more) {
		more = fgets(line, sizeof(line), f) != NULL;
		if (more && *text_trim(line)) {
			buf_str(&kept, text_trim(line));
			buf_char(&kept, '\n');
			continue;
		}
		struct record r = { 0 };
		char *rest = kept.at, *one;

		while (rest && (one = strsep(&rest, "\n")))
			record_line(&r, one);
		record_end(root, c, &r);
		buf_reset(&kept);
	}
	fclose(f);
	return 0;
}

/* Profiles of the first eDeploy know vendors by lshw's names. */
static const char *
vendor_name(const char *id)
{
	if (str_eq(id, "GenuineIntel"))
		return "Intel Corp.";
	if (str_eq(id, "AuthenticAMD"))
		return "Advanced Micro Devices [AMD]";
	return id;
}

static void
add(struct facts *out, const char *name, const char *property,
    const char *value)
{
	if (value && *value)
		facts_add(out, "cpu", name, property, value);
}

static void
add_firmware(struct facts *out, const char *name, const struct dmi_cpu *c)
{
	if (c->frequency_hz)
		facts_addf(out, "cpu", name, "frequency", "%" PRIu64,
			   c->frequency_hz);
	if (c->clock_hz)
		facts_addf(out, "cpu", name, "clock", "%" PRIu64, c->clock_hz);
	if (c->enabled_cores)
		facts_addf(out, "cpu", name, "enabled_cores", "%u",
			   c->enabled_cores);
}

static void
add_socket(struct facts *out, const char *name, const struct socket *s,
	   const struct dmi_cpu *firmware)
{
	char *const *w = s->word;

	facts_addf(out, "cpu", name, "physid", "%u", s->id);
	add(out, name, "vendor", vendor_name(w[CPU_VENDOR]));
	add(out, name, "product", w[CPU_PRODUCT]);
	add(out, name, "family", w[CPU_FAMILY]);
	add(out, name, "model", w[CPU_MODEL]);
	add(out, name, "stepping", w[CPU_STEPPING]);
	if (w[CPU_FAMILY] && w[CPU_MODEL] && w[CPU_STEPPING])
		facts_addf(out, "cpu", name, "version", "%s.%s.%s",
			   w[CPU_FAMILY], w[CPU_MODEL], w[CPU_STEPPING]);
	if (firmware)
		add_firmware(out, name, firmware);
	add(out, name, "cores", w[CPU_CORES]);
	if (w[CPU_SIBLINGS])
		add(out, name, "threads", w[CPU_SIBLINGS]);
	else
		facts_addf(out, "cpu", name, "threads", "%u", s->logical);
	add(out, name, "flags", w[CPU_FLAGS]);
}

static void
cpus_free(struct cpus *c)
{
	size_t i, w;

	for (i = 0; c && i < c->len; i++)
		for (w = 0; w < CPU_WORDS; w++)
			free(c->socket[i].word[w]);
	free(c);
}
AUTO_DEFINE(cpus)

int
probe_cpu(const char *root, struct facts *out, struct err *e)
{
	AUTO(cpus) c = base_alloc(sizeof(*c));
	AUTO(dmi) firmware = dmi_read(root);
	size_t i;

	if (read_cpuinfo(root, c, e) < 0)
		return -1;
	facts_addf(out, "cpu", "physical", "number", "%zu", c->len);
	for (i = 0; i < c->len; i++) {
		bool told = firmware && i < firmware->cpus;
		char name[32];

		snprintf(name, sizeof(name), "physical_%zu", i);
		add_socket(out, name, &c->socket[i],
			   told ? &firmware->cpu[i] : NULL);
	}
	facts_addf(out, "cpu", "logical", "number", "%u", c->logical);
	return 0;
}
