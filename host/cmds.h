#ifndef HOST_CMDS_H
#define HOST_CMDS_H

/* The commands, each in a file of its kind. */
int cmd_upgrade(int argc, char **argv); /* cmd_change.c */
int cmd_rollback(int argc, char **argv);
int cmd_test_upgrade(int argc, char **argv);
int cmd_prove(int argc, char **argv);      /* cmd_prove.c */
int cmd_late_edits(int argc, char **argv); /* cmd_late.c */
int cmd_convert(int argc, char **argv);    /* cmd_convert.c */
int cmd_pkgmngr(int argc, char **argv);    /* cmd_pkgmngr.c */
int cmd_verify(int argc, char **argv);     /* cmd_check.c */
int cmd_list(int argc, char **argv);
int cmd_gc(int argc, char **argv);
int cmd_status(int argc, char **argv); /* cmd_tell.c */
int cmd_history(int argc, char **argv);
int cmd_tell(int argc, char **argv);

#endif
