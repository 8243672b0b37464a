/* A kernel command line from anywhere: whatever it says, what comes out obeys
 * the rules of the words. */
#include <assert.h>

#include "lib/base.h"
#include "lib/value.h"

#include "agent/net.h"
#include "agent/tree_rsync.h"
#include "agent/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
check_host(const char *host)
{
	assert(*host && *host != '-' && !strpbrk(host, " /;$`'\"\\|&<>"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO_FREE char *line = base_strndup((const char *)bytes, len);
	struct tree_progress p;
	struct net_rules r;
	struct words w;
	struct err e = { 0 };

	if (words_parse(&w, line, &e) < 0)
		assert(e.kind == ERR_INPUT && *e.text);
	if (w.rserv) {
		check_host(w.serv);
		check_host(w.rserv);
		assert(w.http_port > 0 && w.http_port < 65536);
		assert(!strstr(w.rpath, ".."));
		assert(net_rules_parse(&r, w.ip, &e) == 0);
		net_rules_clear(&r);
	}
	words_clear(&w);
	if (tree_progress_parse(line, &p) == 0)
		assert(p.percent >= 0 && p.percent <= 100 && p.bytes >= 0 &&
		       p.eta_s >= -1); /* -1: not known yet */
	return 0;
}
