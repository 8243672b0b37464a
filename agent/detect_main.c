/* `edeploy-agent detect`: what a profile's patterns will see, on any Linux
 * machine and before anything is installed. */
#include <stdio.h>

#include "agent/detect.h"
#include "lib/base.h"
#include "lib/cmd.h"

static int
print_facts(const char *root, struct facts *found, struct detect_notes *notes)
{
	AUTO_CLEAR(buf) json = { 0 };
	struct err e = { 0 };

	if (detect(root, found, notes, &e) < 0) {
		fprintf(stderr, "edeploy-agent: detect: %s\n", e.text);
		return CMD_FAILED;
	}
	if (notes->lines.len > 0)
		fputs(buf_text(&notes->lines), stderr);
	facts_to_json(found, &json);
	if (fwrite(buf_text(&json), 1, json.len, stdout) != json.len ||
	    fflush(stdout) != 0) {
		perror("edeploy-agent: detect: write the facts");
		return CMD_FAILED;
	}
	return CMD_DONE;
}

int
detect_main(int argc, char **argv)
{
	AUTO_CLEAR(detect_notes) notes = { 0 };
	AUTO(facts) found = facts_new();
	const char *root = "";

	if (argc == 3 && str_eq(argv[1], "--root")) {
		root = argv[2];
	} else if (argc != 1) {
		fprintf(stderr, "usage: edeploy-agent detect [--root DIR]\n");
		return CMD_USAGE;
	}
	if (*root && access(root, R_OK | X_OK) < 0) {
		perror(root);
		return CMD_FAILED;
	}
	return print_facts(root, found, &notes);
}
