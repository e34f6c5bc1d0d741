// CHILD-SAFE: formatting and parsing for code that may not use stdio: other threads are parked and may own its locks.
#include "engine.h"

#include <fcntl.h>
#include <string.h>

void sm__text(sm_text *text, const char *string)
{
    for (; *string && text->used + 1 < text->size; string++)
        text->text[text->used++] = *string;
    if (text->size > 0)
        text->text[text->used] = 0;
}

void sm__number(sm_text *text, int64_t number)
{
    char digits[24];
    int at = sizeof digits - 1;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    digits[at] = 0;
    do { digits[--at] = (char)('0' + rest % 10); rest /= 10; } while (rest);
    if (number < 0)
        digits[--at] = '-';
    sm__text(text, digits + at);
}

// Reads a number and moves *text behind it; stops at the first character that is no digit of the base.
int64_t sm__parse(const char **text, int base)
{
    int64_t value = 0;
    for (;; (*text)++) {
        int c = **text, digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
        if (digit >= base)
            return value;
        value = (int64_t)((uint64_t)value * (uint64_t)base + (uint64_t)digit);   // [vsyscall] lies above the largest signed number
    }
}

// Reads a whole small file; returns the length (the buffer ends with a 0), or -errno.
int sm__read_file(const char *path, char *buffer, int size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC), used = 0;
    if (file < 0)
        return -errno;
    for (ssize_t got; used < size - 1 && (got = read(file, buffer + used, (size_t)(size - 1 - used))) > 0;)
        used += (int)got;
    close(file);
    buffer[used] = 0;
    return used;
}

const char *sm__syscall_name(int number)
{
    static const struct { int number; const char *name; } names[] = {
        { SYS_futex, "futex" }, { SYS_read, "read" }, { SYS_write, "write" }, { SYS_poll, "poll" }, { SYS_ppoll, "ppoll" },
        { SYS_epoll_wait, "epoll_wait" }, { SYS_epoll_pwait, "epoll_pwait" }, { SYS_nanosleep, "nanosleep" },
        { SYS_clock_nanosleep, "clock_nanosleep" }, { SYS_recvfrom, "recvfrom" }, { SYS_recvmsg, "recvmsg" }, { SYS_sendmsg, "sendmsg" },
        { SYS_sendto, "sendto" }, { SYS_accept, "accept" }, { SYS_accept4, "accept4" }, { SYS_connect, "connect" }, { SYS_wait4, "wait4" },
        { SYS_waitid, "waitid" }, { SYS_openat, "openat" }, { SYS_select, "select" }, { SYS_pselect6, "pselect6" }, { SYS_flock, "flock" },
        { SYS_pause, "pause" }, { SYS_rt_sigtimedwait, "rt_sigtimedwait" }, { SYS_fcntl, "fcntl" }, { SYS_readv, "readv" },
        { SYS_membarrier, "membarrier" }, { SYS_madvise, "madvise" }, { SYS_mmap, "mmap" }, { SYS_munmap, "munmap" },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == number)
            return names[i].name;
    return number < 0 ? "no system call" : "a system call";
}
