#include "agent/net.h"
#include "agent/words.h"
#include "lib/value.h"
#include "tests/test.h"

/* A command line, and one thing that must be true of it. */
enum see {
	SERV,
	RSERV,
	RPATH,
	HSERV,
	HSERV_PORT,
	HPATH,
	TREE,
	RSYNC_TOLD,
	SECTION,
	HTTP_PORT,
	RSERV_PORT,
	LINK,
	SUCCESS,
	FAILURE,
	DEBUG,
	LOG,
	ARGS,
	CONSOLES,
	WARNINGS,
	OS,
	OS_VER,
	KEXEC,
	LAYOUT,
	FAKE,
	REFUSED
};

static const struct {
	const char *line;
	enum see see;
	const char *want;
} rows[] = {
	{ "", SERV, "10.0.0.1" },
	{ "", RSERV, "10.0.0.1" },
	{ "", HTTP_PORT, "80" },
	{ "", RSERV_PORT, "873" },
	{ "", RPATH, "install" },
	{ "", SECTION, "SERVER" },
	{ "", SUCCESS, "reboot" },
	{ "", FAILURE, "halt" },
	{ "", LOG, "1" },
	{ "", LINK, "10" },
	{ "", ARGS, "" },
	{ "SERV=192.168.1.2", SERV, "192.168.1.2" },
	{ "SERV=192.168.1.2", RSERV, "192.168.1.2" },
	{ "RSERV=r.example SERV=s.example", RSERV, "r.example" },
	{ "SERV=a SERV=b", SERV, "b" },
	{ "SERV=", SERV, "10.0.0.1" },
	{ "serv=x", SERV, "10.0.0.1" },
	{ "XSERV=x", SERV, "10.0.0.1" },
	{ "SERV=[fd00::1]", SERV, "[fd00::1]" },
	{ "SERV=$(reboot)", REFUSED, "SERV" },
	{ "SERV=a;b", REFUSED, "SERV" },
	{ "SERV=a/b", REFUSED, "SERV" },
	{ "SERV=-x", REFUSED, "SERV" },
	{ "HTTP_PORT=8080", HTTP_PORT, "8080" },
	{ "HTTP_PORT=0", REFUSED, "HTTP_PORT" },
	{ "HTTP_PORT=65536", REFUSED, "1 to 65535" },
	{ "HTTP_PORT=80x", REFUSED, "HTTP_PORT=80x" },
	{ "RSERV_PORT=1515", RSERV_PORT, "1515" },
	{ "RPATH=a/../b", REFUSED, "RPATH" },
	{ "RPATH=a/b-c", RPATH, "a/b-c" },
	{ "SECTION=VM", SECTION, "VM" },
	{ "SECTION=a/b", REFUSED, "SECTION" },
	{ "ONSUCCESS=kexec", SUCCESS, "kexec" },
	{ "ONSUCCESS=dance", REFUSED, "reboot, halt, console or kexec" },
	{ "ONFAILURE=reboot", FAILURE, "reboot" },
	{ "ONFAILURE=kexec", REFUSED, "reboot, halt or console" },
	{ "ONFAILURE=console HTTP_PORT=x", FAILURE, "console" },
	{ "DEBUG=1 ONFAILURE=reboot", FAILURE, "console" },
	{ "DEBUG=1", DEBUG, "1" },
	{ "DEBUG=yes", REFUSED, "0 or 1" },
	{ "UPLOAD_LOG=0", LOG, "0" },
	{ "UPLOAD_LOG=no", LOG, "0" },
	{ "LINK_UP_TIMEOUT=30", LINK, "30" },
	{ "LINK_UP_TIMEOUT=-1", REFUSED, "LINK_UP_TIMEOUT" },
	{ "OS=base OS_VER=D12-F.1", OS, "base" },
	{ "OS=base OS_VER=D12-F.1", OS_VER, "D12-F.1" },
	{ "OS=../x", REFUSED, "OS" },
	{ "KEXEC_KERNEL=6.1", KEXEC, "6.1" },
	{ "LAYOUT=plain", LAYOUT, "plain" },
	{ "LAYOUT=versioned", LAYOUT, "versioned" },
	{ "LAYOUT=", LAYOUT, "none" },
	{ "LAYOUT=zfs", REFUSED, "plain or versioned" },
	{ "FAKEIPMI quiet", FAKE, "1" },
	{ "quiet", FAKE, "0" },
	{ "a | console=ttyS1 nomodeset | SERV=s", ARGS,
	  "console=ttyS1 nomodeset" },
	{ "a |x=1|", ARGS, "x=1" },
	{ "a | SERV=inside | b", SERV, "10.0.0.1" },
	{ "a | console=ttyS1 | b", CONSOLES, "" },
	{ "| x", REFUSED, "no second one" },
	{ "|a\x01|", REFUSED, "0x01" },
	{ "|a=\"b c\"|", REFUSED, "\" in \"a=\"b c\"\"" },
	{ "console=tty0 root=x console=ttyS0,115200", CONSOLES,
	  "console=tty0 console=ttyS0,115200" },
	{ "quiet ro splash=1", WARNINGS, "0" },
	{ "HSERV=1.2.3.4", WARNINGS, "0" },
	{ "HSERV=1.2.3.4", HSERV, "1.2.3.4" },
	{ "HSERV=", HSERV, "-" },
	{ "", HSERV, "-" },
	{ "", HSERV_PORT, "80" },
	{ "", HPATH, "install" },
	{ "HSERV_PORT=8080", HSERV_PORT, "8080" },
	{ "HSERV_PORT=x", REFUSED, "HSERV_PORT=x" },
	{ "HPATH=a/b", HPATH, "a/b" },
	{ "HPATH=a/../b", REFUSED, "HPATH" },
	{ "HSERV=a/b", REFUSED, "HSERV" },
	{ "", TREE, "-" },
	{ "TREE=http://a:81/trees", TREE, "http://a:81/trees" },
	{ "tree=https://[fd00::1]/x", TREE, "https://[fd00::1]/x" },
	{ "tree=ftp://a/x", REFUSED, "tree=ftp://a/x" },
	{ "TREE=http:///x", REFUSED, "TREE" },
	{ "TREE=http://:80/x", REFUSED, "TREE" },
	{ "TREE=http://a/../x", REFUSED, "TREE" },
	{ "TREE=http://a/x?y", REFUSED, "TREE" },
	{ "TREE=/x", REFUSED, "http://HOST[:PORT]/PATH" },
	{ "", RSYNC_TOLD, "0" },
	{ "SERV=x TREE=http://a/b HSERV=c", RSYNC_TOLD, "0" },
	{ "RSERV=", RSYNC_TOLD, "0" },
	{ "RSERV=x", RSYNC_TOLD, "1" },
	{ "RSERV_PORT=1", RSYNC_TOLD, "1" },
	{ "RPATH=x", RSYNC_TOLD, "1" },
	{ "EMBEDDED=1", WARNINGS, "PXE" },
	{ "DISCO=http://x", WARNINGS, "DISCO" },
	{ "HTTP_PATH=/cgi-bin/", WARNINGS, "/v1/" },
	{ "SMOKE=60", WARNINGS, "health check" },
	{ "NOCONSOLE", WARNINGS, "ONFAILURE" },
	{ "IP=eth0:dhcq", REFUSED, "dhcq" },
};

static const char *
seen(const struct words *w, enum see see, char number[32])
{
	const struct value *warning =
		w->warnings->list.len ? w->warnings->list.at[0] : NULL;
	long n = -1;

	switch (see) {
	case SERV:
		return w->serv;
	case RSERV:
		return w->rserv;
	case RPATH:
		return w->rpath;
	case HSERV:
		return w->hserv ? w->hserv : "-";
	case HPATH:
		return w->hpath;
	case TREE:
		return w->tree ? w->tree : "-";
	case SECTION:
		return w->section;
	case SUCCESS:
		return action_name(w->onsuccess);
	case FAILURE:
		return action_name(w->onfailure);
	case ARGS:
		return w->boot_args;
	case CONSOLES:
		return w->consoles;
	case OS:
		return w->os;
	case OS_VER:
		return w->os_ver;
	case KEXEC:
		return w->kexec_kernel;
	case LAYOUT:
		return w->layout ? w->layout : "none";
	case WARNINGS:
		return warning ? warning->str.at : "0";
	case HTTP_PORT:
		n = w->http_port;
		break;
	case RSERV_PORT:
		n = w->rserv_port;
		break;
	case HSERV_PORT:
		n = w->hserv_port;
		break;
	case RSYNC_TOLD:
		n = w->rsync_told;
		break;
	case LINK:
		n = w->link_up_timeout_s;
		break;
	case DEBUG:
		n = w->debug;
		break;
	case LOG:
		n = w->upload_log;
		break;
	case FAKE:
		n = w->fakeipmi;
		break;
	case REFUSED:
		break;
	}
	snprintf(number, 32, "%ld", n);
	return number;
}

static const struct {
	const char *ip, *interface;
	int how; /* -1: the list is refused */
	unsigned vlan;
	const char *cidr;
} rules[] = {
	{ "all:dhcp", "eth0", NET_DHCP, 0, "" },
	{ "eth0:none,other:dhcp", "eth0", NET_NONE, 0, "" },
	{ "eth0:none", "eth1", NET_DHCP, 0, "" },
	{ "other:none,eth1:dhcp", "eth1", NET_DHCP, 0, "" },
	{ "other:none,eth1:dhcp", "eth2", NET_NONE, 0, "" },
	{ "all:none,eth1:dhcp", "eth1", NET_NONE, 0, "" },
	{ "eth0:10.1.2.3/24@7", "eth0", NET_STATIC, 7, "10.1.2.3/24" },
	{ "eth0:dhcp@4094", "eth0", NET_DHCP, 4094, "" },
	{ "eth0:dhcp@4095", "", -1, 0, "" },
	{ "eth0:dhcp@0", "", -1, 0, "" },
	{ "eth0", "", -1, 0, "" },
	{ "", "", -1, 0, "" },
	{ "eth0:10.1.2.3", "", -1, 0, "" },
	{ "eth0:10.1.2.3/33", "", -1, 0, "" },
	{ "eth0:10.1.2/24", "", -1, 0, "" },
	{ "eth0:$(x)/24", "", -1, 0, "" },
	{ "averyveryverylongname:dhcp", "", -1, 0, "" },
	{ "e;x:dhcp", "", -1, 0, "" },
};

int
main(void)
{
	char number[32];
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct words w;
		struct err e = { 0 };
		int r = words_parse(&w, rows[i].line, &e);
		const char *got = seen(&w, rows[i].see, number);

		if (rows[i].see == REFUSED)
			CHECK_SHOW(i, r < 0 && strstr(e.text, rows[i].want),
				   "%s: %s", rows[i].line, e.text);
		else if (rows[i].see == WARNINGS)
			CHECK_SHOW(i, r == 0 && strstr(got, rows[i].want),
				   "%s: %s", rows[i].line, got);
		else
			CHECK_SHOW(i, str_eq(got, rows[i].want), "%s: %s",
				   rows[i].line, got ? got : "NULL");
		words_clear(&w);
	}
	for (i = 0; i < ARRAY_LEN(rules); i++) {
		struct net_rules r;
		struct err e = { 0 };
		int bad = net_rules_parse(&r, rules[i].ip, &e);
		const struct net_rule *got =
			bad ? NULL : net_rule_for(&r, rules[i].interface);

		CHECK(i, bad == (rules[i].how < 0 ? -1 : 0));
		if (got)
			CHECK(i, (int)got->how == rules[i].how &&
					 got->vlan == rules[i].vlan &&
					 str_eq(got->cidr, rules[i].cidr));
		net_rules_clear(&r);
	}
	return test_end();
}
