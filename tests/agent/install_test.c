/* Who decides on the layout, and what is said where versions cannot stand
 * beside one another: each row is a machine that installs there. That they can
 * is seen in tests/e2e. */
#include <fcntl.h>
#include <unistd.h>

#include "lib/file.h"

#include "agent/install.h"
#include "agent/script.h"

#include "tests/test.h"

#define NO_INIT "this initrd holds no edeploy-init"

static const struct {
	const char *script, *word; /* layout(), LAYOUT= */
	const char *version;
	const char *refused, *logged; /* NULL: not */
} rows[] = {
	{ NULL, NULL, "V1", NULL, "layout plain: " NO_INIT },
	{ NULL, NULL, "V1.local", NULL, "layout plain: \"V1.local\" is the" },
	{ NULL, "plain", "V1", NULL, NULL },
	{ "plain", NULL, "V1", NULL, NULL },
	{ "plain", "versioned", "V1", NULL, NULL },
	{ NULL, "versioned", "V1", "LAYOUT=plain installs it", NULL },
	{ "versioned", NULL, "V1", "layout('plain') in the script", NULL },
	{ "versioned", "plain", "V1", NO_INIT, NULL },
	{ NULL, "versioned", "V1.grub", "is the name of what stands", NULL },
};

static char *
copy(const char *text)
{
	return text ? base_strdup(text) : NULL;
}

static void
check_row(size_t i, const char *log)
{
	AUTO_FREE char *asked = copy(rows[i].script);
	AUTO_FREE char *word = copy(rows[i].word);
	AUTO_FREE char *version = copy(rows[i].version);
	struct script_result script = { .layout = asked, .version = version };
	struct deploy d = { 0 };
	AUTO(journal) journal = NULL;
	AUTO_CLOSE int console = open("/dev/null", O_WRONLY | O_CLOEXEC);
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };
	int bad;

	CHECK(i, journal_open(&journal, log, console, &e) == 0);
	d.journal = journal;
	d.words.layout = word;
	bad = install_divide(&d, &script, true, &e);
	CHECK_SHOW(i,
		   rows[i].refused ? bad && e.kind == ERR_REFUSED &&
					     strstr(e.text, rows[i].refused)
				   : !bad,
		   "%s", e.text);
	CHECK(i, !d.layout.version);
	CHECK(i, file_read(log, 4096, &text, NULL, &e) == 0);
	CHECK_SHOW(i,
		   rows[i].logged ? strstr(text, rows[i].logged) != NULL
				  : !*text,
		   "%s", text);
}

int
main(void)
{
	char log[] = "/tmp/edeploy-install-XXXXXX";
	int fd = mkstemp(log);
	size_t i;

	if (fd < 0)
		return 1;
	close(fd);
	if (file_exists(INSTALL_INIT))
		test_skip(INSTALL_INIT " is here, as in an initrd");
	else
		for (i = 0; i < ARRAY_LEN(rows); i++)
			check_row(i, log);
	unlink(log);
	return test_end();
}
