/* A firmware table from anywhere. The first two bytes are the version. */
#include <assert.h>

#include "agent/probe_dmi.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
check_word(const char *word)
{
	if (!word)
		return;
	assert(*word && *word != ' ');
	for (; *word; word++)
		assert(*word >= 0x20 && *word < 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(dmi) d = NULL;
	size_t i;

	dmi_entry_version(bytes, len);
	if (len < 2)
		return 0;
	d = dmi_parse(bytes + 2, len - 2, bytes[0] * 256u + bytes[1]);
	for (i = 0; i < DMI_WORDS; i++)
		check_word(d->word[i]);
	assert(d->banks <= DMI_BANKS_MAX && d->cpus <= DMI_CPUS_MAX);
	for (i = 0; i < d->banks; i++) {
		assert(d->arrays ? d->bank[i].array < d->arrays
				 : d->bank[i].array == 0);
		check_word(d->bank[i].slot);
		check_word(d->bank[i].description);
	}
	for (i = 0; i < d->cpus; i++)
		check_word(d->cpu[i].version);
	return 0;
}
