/* `detect` and `lint` run anywhere, the rest in the initrd. */
#include "lib/base.h"
#include "lib/cmd.h"

#include "agent/deploy.h"
#include "agent/detect.h"
#include "agent/main.h"
#include "agent/script.h"

static const struct cmd commands[] = {
	{ "deploy", "[--cmdline FILE]",
	  "install this machine as the server decides (initrd only)",
	  "Reads the kernel's words (docs/compat.md, section 1.6), brings up\n"
	  "the network, uploads the facts, runs the script that comes back,\n"
	  "brings the role's tree onto the disk and makes it boot. It ends\n"
	  "with ONSUCCESS or ONFAILURE.\n",
	  deploy_main },
	{ "detect", "[--root DIR]", "print the facts of this machine as JSON",
	  NULL, detect_main },
	{ "lint", "FILE [--json]",
	  "check a configure script without running it", NULL, lint_main },
};

int
agent_main(int argc, char **argv)
{
	static const struct cmd_program program = {
		.name = "edeploy-agent",
		.purpose = "detects, asks, and installs a machine",
		.table = commands,
		.len = ARRAY_LEN(commands),
	};

	return cmd_main(&program, argc, argv);
}
