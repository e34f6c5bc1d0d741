// Pseudo-terminals: one is opened by the parent, and becomes the terminal of a process that was just forked.
#include "startmethods.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

// TIOCGPTPEER (Linux 4.13) needs no path: it works where /dev/pts is another one, or is not mounted.
static int open_terminal_side(int controlling)
{
    int terminal = ioctl(controlling, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    char path[64];
    if (terminal < 0 && ptsname_r(controlling, path, sizeof path) == 0)
        terminal = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return terminal < 0 ? -errno : terminal;
}

int32_t sm_pty_open_pair(int32_t *controlling, int32_t *terminal)
{
    int side = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (side < 0)
        return -errno;
    int error = grantpt(side) != 0 || unlockpt(side) != 0 ? -errno : 0;
    int other = error == 0 ? open_terminal_side(side) : error;
    if (other < 0) {
        close(side);
        return other;
    }
    *controlling = side;
    *terminal = other;
    return 0;
}

int32_t sm_pty_become_terminal(int32_t terminal)
{
    if (setsid() < 0 || ioctl(terminal, TIOCSCTTY, 0) != 0)
        return -errno;
    for (int number = 0; number <= 2; number++)
        if (dup2(terminal, number) < 0)
            return -errno;
    if (terminal > 2)
        close(terminal);
    return 0;
}
