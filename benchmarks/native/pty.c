// Reference: a pseudo-terminal in raw mode. usage: pty rate [bytes a write] | echo
// rate: MB/s from the child to the parent, 32 MB a sample. echo: round trip of one byte in us.
#include "reference.h"
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>

static size_t block = 65536;
static int terminal;

static pid_t on_terminal(void)
{
    struct termios raw;
    memset(&raw, 0, sizeof raw);
    cfmakeraw(&raw);
    raw.c_cflag |= CS8 | CREAD;
    pid_t pid = forkpty(&terminal, NULL, &raw, NULL);
    if (pid < 0)
        fail("forkpty");
    return pid;
}

static double rate(void)
{
    const size_t total = 32u << 20;
    pid_t pid = on_terminal();
    if (pid == 0) {
        char *data = malloc(block), go;
        memset(data, 'x', block);
        if (read(0, &go, 1) != 1)
            _exit(1);
        for (size_t sent = 0; sent < total; sent += block)
            if (write(1, data, block) <= 0)
                _exit(1);
        pause(); // a closed side loses what is still in flight
    }
    static char data[65536];
    double begin = now_us();
    if (write(terminal, "g", 1) != 1)
        fail("write");
    for (size_t got = 0; got < total;) {
        ssize_t count = read(terminal, data, sizeof data);
        if (count <= 0)
            fail("read");
        got += (size_t)count;
    }
    double end = now_us();
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(terminal);
    return (double)total / (end - begin);
}

static double echo(void)
{
    char byte = 'a';
    double begin = now_us();
    if (write(terminal, &byte, 1) != 1 || read(terminal, &byte, 1) != 1)
        fail("echo");
    return now_us() - begin;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "echo") == 0) {
        if (on_terminal() == 0) {
            char byte;
            while (read(0, &byte, 1) == 1 && write(1, &byte, 1) == 1) { }
            _exit(0);
        }
        return serve(echo);
    }
    block = (size_t)argument(argc, argv, 2, 65536);
    return serve(rate);
}
