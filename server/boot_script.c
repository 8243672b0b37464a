/* What a boot loader runs. Nothing that came over the wire stands in a script
 * as it came: host and section are checked against a small alphabet, and what
 * iPXE tells about the machine is only looked up. */
#include <string.h>

#include "server/handler.h"
#include "lib/file.h"
#include "lib/text.h"

#define ASK_MAX 256 /* bytes of mac, uuid, serial */
#define CMDLINE_MAX 1024

/* The Host header: a name, IPv4 or [IPv6], and maybe a port. */
static bool
host_valid(const char *host)
{
	static const char allowed[] = "0123456789.:[]-"
				      "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return host && *host && strlen(host) <= 255 &&
	       strspn(host, allowed) == strlen(host);
}

/* Where the port of HOST:PORT begins (the ":"), or the end. */
static const char *
host_port(const char *host)
{
	const char *from = *host == '[' ? strchr(host, ']') : host;
	const char *colon = strchr(from ? from : host, ':');

	return colon ? colon : host + strlen(host);
}

/* `section=S` as a query, or nothing for the default section. */
static void
add_section(const struct site *s, const char *lead, struct buf *out)
{
	const char *section = site_conf(s)->section;

	if (strcmp(section, "SERVER") == 0)
		return;
	buf_str(out, lead);
	buf_str(out, "section=");
	text_url_encode(section, out);
}

/* Debian's iPXE of 2019 refuses "chain /boot.ipxe?...": absolute, therefore.
 * netX is the interface that it booted from. */
static void
write_chain(const struct site *s, const char *host, struct buf *out)
{
	buf_printf(out, "#!ipxe\nchain http://%s/boot.ipxe?", host);
	buf_str(out, "mac=${netX/mac}&uuid=${uuid}"
		     "&serial=${serial:uristring}"
		     "&product=${product:uristring}&platform=${platform}");
	add_section(s, "&", out);
	buf_str(out, "\n");
}

/* BOOTDIR/cmdline: one line of further kernel words. Owned; "" without one. */
static char *
read_cmdline(const struct site *s, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/cmdline", site_conf(s)->bootdir);
	AUTO_FREE char *text = NULL;
	char *line;

	if (!file_exists(path))
		return base_strdup("");
	if (file_read(path, CMDLINE_MAX, &text, NULL, e) < 0)
		return NULL;
	line = text_trim(text);
	for (const char *p = line; *p; p++) {
		if (*p >= 0x20 && *p <= 0x7e)
			continue;
		err_set(e, ERR_SYS, "%s: must be one line of printable ASCII",
			path);
		return NULL;
	}
	return base_strdup(line);
}

static int
write_install(const struct site *s, const char *host, struct buf *out,
	      struct err *e)
{
	AUTO_FREE char *words = read_cmdline(s, e);
	const char *port = host_port(host);

	if (!words)
		return -1;
	if (!name_is_safe(site_conf(s)->section))
		return err_set(
			e, ERR_SYS,
			"section \"%s\" cannot stand on a kernel command "
			"line; use letters, digits, \"._-\"",
			site_conf(s)->section);
	buf_printf(out, "#!ipxe\nkernel http://%s/boot/vmlinuz", host);
	add_section(s, "?", out);
	buf_printf(out, " initrd=initrd.pxe SERV=%.*s HTTP_PORT=%s SECTION=%s",
		   (int)(port - host), host, *port ? port + 1 : "80",
		   site_conf(s)->section);
	buf_printf(out, "%s%s\ninitrd http://%s/boot/initrd.pxe",
		   *words ? " " : "", words, host);
	add_section(s, "?", out);
	buf_str(out, "\nboot\n");
	return 0;
}

/* A BIOS goes on with its next device after `exit`; an EFI boot manager does
 * so only when told of a failure. */
static void
write_local(bool efi, struct buf *out)
{
	buf_printf(out,
		   "#!ipxe\n"
		   "echo eDeploy: this machine is installed, "
		   "booting its disk\n"
		   "exit%s\n",
		   efi ? " 1" : "");
}

/* The script for a machine that told who it is. */
static int
write_answer(struct site *s, const struct request *r, bool efi,
	     const struct site_boot_ask *ask, struct buf *out, struct err *e)
{
	enum site_boot what;

	if (site_boot(s, ask, &what, e) < 0)
		return -1;
	if (what == SITE_BOOT_INSTALL)
		return write_install(s, r->host, out, e);
	write_local(efi, out);
	return 0;
}

void
boot_script_get(struct app *a, const struct request *r, const char *arg,
		struct reply *out)
{
	AUTO_FREE char *mac = NULL, *uuid = NULL, *serial = NULL;
	AUTO_FREE char *platform = NULL;
	struct site *s = app_site_asked(a, r, out);
	struct site_boot_ask ask;
	struct err e = { 0 };

	(void)arg;
	if (!s)
		return;
	if (!host_valid(r->host)) {
		reply_error(out, 400, "the header Host must name this server");
		return;
	}
	if (query_get(r->query, "mac", ASK_MAX, &mac, &e) < 0 ||
	    query_get(r->query, "uuid", ASK_MAX, &uuid, &e) < 0 ||
	    query_get(r->query, "serial", ASK_MAX, &serial, &e) < 0 ||
	    query_get(r->query, "platform", ASK_MAX, &platform, &e) < 0) {
		reply_err(out, &e, 400);
		return;
	}
	ask = (struct site_boot_ask){ uuid, serial, mac };
	if (!mac && !uuid && !serial)
		write_chain(s, r->host, &out->body);
	else if (write_answer(s, r, str_eq(platform, "efi"), &ask, &out->body,
			      &e) < 0) {
		reply_err(out, &e, 409);
		return;
	}
	out->status = 200;
	reply_header(out, "Content-Type", "text/plain; charset=utf-8");
	reply_header(out, "Cache-Control", "no-store");
}
