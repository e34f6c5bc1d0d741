// The files by which tools find a .NET process: the socket of the diagnostics server and the pipes of the debugger's transport, in the folder for temporary files. The runtime removes
// them at its own end, but not where it is killed, and not where the process leaves by _exit(2), as children do here: three files a child stayed for ever.
//
// They carry the process's id and, since ids are used again, the time of its start.
#include "engine.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

int64_t sm_process_start_time(int32_t pid)
{
    enum { FIELD = 22, FIRST_BEHIND_NAME = 3 };
    char path[64], line[1024];
    sm_text text = { path, sizeof path, 0 };
    sm__text(&text, "/proc/");
    sm__number(&text, pid);
    sm__text(&text, "/stat");
    int length = sm__read_file(path, line, sizeof line);
    if (length < 0)
        return length;
    const char *at = strrchr(line, ')');             // the name may contain anything
    for (int field = FIRST_BEHIND_NAME - 1; at && field < FIELD; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return -EPROTO;
    at++;
    return sm__parse(&at, 10);
}

static void remove_file(const char *folder, const char *kind, int32_t pid, int64_t start_time, const char *end)
{
    char path[PATH_MAX];
    sm_text text = { path, sizeof path, 0 };
    sm__text(&text, folder && *folder ? folder : "/tmp");
    sm__text(&text, "/");
    sm__text(&text, kind);
    sm__number(&text, pid);
    sm__text(&text, "-");
    sm__number(&text, start_time);
    sm__text(&text, end);
    unlink(path);
}

void sm_process_remove_files(int32_t pid, int64_t start_time, const char *folder)
{
    remove_file(folder, "dotnet-diagnostic-", pid, start_time, "-socket");
    remove_file(folder, "clr-debug-pipe-", pid, start_time, "-in");
    remove_file(folder, "clr-debug-pipe-", pid, start_time, "-out");
}

// A forked copy has none.
void sm__remove_own_files(void)
{
    int pid = getpid();
    int64_t start_time = sm__is_forked() ? -1 : sm_process_start_time(pid);
    if (start_time >= 0)
        sm_process_remove_files(pid, start_time, getenv("TMPDIR"));
}
