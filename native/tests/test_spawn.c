#include "spawn_start.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int open_descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory)) count++;
    closedir(directory);
    return count;
}

static int has_child(void)
{
    siginfo_t info;
    return syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, NULL) == 0;
}

static void a_program_gets_its_arguments_environment_and_directory(void)
{
    start s;
    prepare(&s, "printf '%s|%s|%s|' \"$0\" \"$1\" \"$NAME\"; pwd");
    s.argv[3] = "zero"; s.argv[4] = "one two";
    s.envp[1] = "NAME=value";
    s.options.directory = "/usr";
    CHECK_TEXT("zero|one two|value|/usr\n", output_of(&s));
}

static void a_failed_start_names_the_stage_and_leaves_nothing(void)
{
    int before = open_descriptors();
    start s;
    prepare(&s, "exit 0"); s.options.file = "/nope/program";
    CHECK_EQUAL(-ENOENT, go(&s)); CHECK_EQUAL(SM_STAGE_EXEC, s.result.stage); close(s.output);
    prepare(&s, "exit 0"); s.options.directory = "/nope";
    CHECK_EQUAL(-ENOENT, go(&s)); CHECK_EQUAL(SM_STAGE_DIRECTORY, s.result.stage); close(s.output);
    prepare(&s, "exit 0"); s.options.file = "/etc/passwd";
    CHECK_EQUAL(-EACCES, go(&s)); CHECK_EQUAL(SM_STAGE_EXEC, s.result.stage); close(s.output);
    prepare(&s, "exit 0"); s.map[2].source = 999;
    CHECK_EQUAL(-EBADF, go(&s)); CHECK_EQUAL(SM_STAGE_DESCRIPTOR, s.result.stage); CHECK_EQUAL(2, s.result.detail); close(s.output);
    prepare(&s, "exit 0"); s.options.flags = SM_SPAWN_PROCESS_GROUP; s.options.process_group = 1;
    CHECK_EQUAL(-EPERM, go(&s)); CHECK_EQUAL(SM_STAGE_PROCESS_GROUP, s.result.stage); close(s.output);
    CHECK_EQUAL(before, open_descriptors());
    CHECK_EQUAL(0, has_child());
    CHECK_EQUAL(-1, s.result.pidfd);
}

static void a_name_is_searched_in_the_list_given(void)
{
    start s;
    prepare(&s, "echo found"); s.options.file = "sh"; s.options.search_path = "/nope:/etc::/usr/bin:/bin";
    CHECK_TEXT("found\n", output_of(&s));
    prepare(&s, "exit 0"); s.options.file = "sh"; s.options.search_path = "/nope:/etc";
    CHECK_EQUAL(-ENOENT, go(&s));
    prepare(&s, "exit 0"); s.options.file = "passwd"; s.options.search_path = "/etc:/nope";
    CHECK_EQUAL(-EACCES, go(&s));
}

static int numbered_file(char mark)
{
    int descriptor = (int)syscall(SYS_memfd_create, "numbered", MFD_CLOEXEC);
    CHECK_EQUAL(1, pwrite(descriptor, &mark, 1, 0));
    return descriptor;
}

static void descriptors_are_mapped_through_swaps_and_cycles(void)
{
    for (int i = 3; i < 9; i++) close(i);
    start s;
    prepare(&s, "for n in 20 21 22 23; do head -c1 <&$n; done"); s.options.file = "/bin/bash";
    int a = fcntl(numbered_file('a'), F_DUPFD_CLOEXEC, 20), b = fcntl(numbered_file('b'), F_DUPFD_CLOEXEC, 21);
    int c = fcntl(numbered_file('c'), F_DUPFD_CLOEXEC, 22), d = fcntl(numbered_file('d'), F_DUPFD_CLOEXEC, 23);
    CHECK(a == 20 && b == 21 && c == 22 && d == 23);
    s.map[3] = (sm_spawn_descriptor){ b, 20 }; s.map[4] = (sm_spawn_descriptor){ a, 21 };    // a swap
    s.map[5] = (sm_spawn_descriptor){ d, 22 }; s.map[6] = (sm_spawn_descriptor){ c, 23 };
    s.options.descriptor_count = 7;
    CHECK_TEXT("badc", output_of(&s));
    prepare(&s, "for n in 20 21 22 23; do head -c1 <&$n; done"); s.options.file = "/bin/bash";
    s.map[3] = (sm_spawn_descriptor){ b, 20 }; s.map[4] = (sm_spawn_descriptor){ c, 21 };    // a cycle of three, and one in place
    s.map[5] = (sm_spawn_descriptor){ a, 22 }; s.map[6] = (sm_spawn_descriptor){ d, 23 };
    s.options.descriptor_count = 7;
    lseek(a, 0, SEEK_SET); lseek(b, 0, SEEK_SET); lseek(c, 0, SEEK_SET); lseek(d, 0, SEEK_SET);
    CHECK_TEXT("bcad", output_of(&s));
    CHECK_EQUAL(FD_CLOEXEC, fcntl(d, F_GETFD));
}

static void the_standard_descriptors_can_be_swapped(void)
{
    start s;
    prepare(&s, "echo out; echo err >&2");
    int other = numbered_file(' ');
    s.map[2].source = s.map[1].source; s.map[1].source = other;    // stderr is the pipe now
    CHECK_EQUAL(0, sm_spawn(&s.options, &s.result));
    close(s.map[2].source);
    char text[16] = "";
    CHECK_EQUAL(4, read(s.output, text, sizeof text));
    CHECK_TEXT("err\n", text);
    CHECK_EQUAL(0, wait_for(&s));
}

static void everything_else_is_closed_even_above_a_lowered_limit(void)
{
    start s;
    int leaked = fcntl(2, F_DUPFD, 500);
    CHECK_EQUAL(500, leaked);
    struct rlimit limit = { 64, 64 };
    CHECK_EQUAL(0, setrlimit(RLIMIT_NOFILE, &limit));
    list_descriptors(&s, 2);
    const char *text = output_of(&s);
    CHECK(strncmp(text, "0 1 2 ", 6) == 0);
    CHECK(strstr(text, " 7 ") != NULL);
    CHECK(strstr(text, "500") == NULL);
}

static uint64_t status_bits(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    CHECK(at != NULL);
    return strtoull(at + strlen(name), NULL, 16);
}

static void on_signal(int number) { (void)number; }

static void ignored_and_blocked_signals_are_reset(void)
{
    sigset_t all; sigfillset(&all);
    signal(SIGPIPE, SIG_IGN); signal(SIGINT, SIG_IGN); signal(SIGUSR2, SIG_IGN); signal(SIGUSR1, on_signal);
    sigprocmask(SIG_SETMASK, &all, NULL);
    start s;
    prepare(&s, "x"); s.argv[0] = "cat"; s.argv[1] = "/proc/self/status"; s.argv[2] = NULL; s.options.file = "/bin/cat";
    const char *text = output_of(&s);
    CHECK_EQUAL(0, status_bits(text, "SigBlk:"));
    CHECK_EQUAL(0, status_bits(text, "SigIgn:"));
    CHECK_EQUAL(0, status_bits(text, "SigCgt:"));
    prepare(&s, "x"); s.argv[0] = "cat"; s.argv[1] = "/proc/self/status"; s.argv[2] = NULL; s.options.file = "/bin/cat";
    s.options.default_signals = 1u << (SIGINT - 1);
    s.options.blocked_signals = 1u << (SIGHUP - 1);
    text = output_of(&s);
    CHECK_EQUAL(1u << (SIGHUP - 1), status_bits(text, "SigBlk:"));
    CHECK_EQUAL((1u << (SIGPIPE - 1)) | (1u << (SIGUSR2 - 1)), status_bits(text, "SigIgn:"));
    sigset_t now; sigprocmask(SIG_SETMASK, NULL, &now);
    CHECK(sigismember(&now, SIGTERM));    // the caller's mask is as before
}

static void session_group_umask_nice_limits_and_no_new_privileges_are_set(void)
{
    start s;
    prepare(&s, "read -r pid comm state ppid pgrp sid rest </proc/self/stat; [ $pid = $$ ] || exit 9; "
                "echo $((pgrp == $$)) $((sid == $$)) $(umask) $(nice) $(ulimit -n) $(ulimit -Hn) $(grep -c 'NoNewPrivs:.1' /proc/self/status)");
    sm_spawn_limit limits[] = { { RLIMIT_NOFILE, 0, 40, 50 }, { RLIMIT_CPU, 1, 100, 0 } };
    s.options.flags = SM_SPAWN_SESSION | SM_SPAWN_UMASK | SM_SPAWN_NICE | SM_SPAWN_NO_NEW_PRIVILEGES;
    s.options.umask = 027; s.options.nice = 5; s.options.limits = limits; s.options.limit_count = 2;
    CHECK_TEXT("1 1 0027 5 40 50 1\n", output_of(&s));
    prepare(&s, "read -r pid comm state ppid pgrp sid rest </proc/self/stat; echo $((pgrp == $$)) $((sid == $$))");
    s.options.flags = SM_SPAWN_PROCESS_GROUP;
    CHECK_TEXT("1 0\n", output_of(&s));
}

static void the_user_and_the_groups_are_dropped_for_good(void)
{
    if (geteuid() != 0) return;
    uint32_t groups[] = { 7, 8 };
    start s;
    prepare(&s, "id -u; id -g; id -G; grep -E '^(Uid|Gid)' /proc/self/status");
    s.options.flags = SM_SPAWN_USER | SM_SPAWN_GROUP | SM_SPAWN_GROUPS;
    s.options.user = 65534; s.options.group = 65534; s.options.groups = groups; s.options.group_count = 2;
    CHECK_TEXT("65534\n65534\n65534 7 8\nUid:\t65534\t65534\t65534\t65534\nGid:\t65534\t65534\t65534\t65534\n", output_of(&s));
    CHECK_EQUAL(0, geteuid());
}

static void the_affinity_is_set(void)
{
    cpu_set_t one; CPU_ZERO(&one);
    cpu_set_t mine; sched_getaffinity(0, sizeof mine, &mine);
    int cpu = 0; while (!CPU_ISSET(cpu, &mine)) cpu++;
    CPU_SET(cpu, &one);
    start s;
    prepare(&s, "nproc");
    s.options.affinity = (const uint8_t *)&one; s.options.affinity_bytes = sizeof one;
    CHECK_TEXT("1\n", output_of(&s));
}

static void a_busy_program_file_is_retried(void)
{
    char path[] = "/tmp/sm-busy-XXXXXX";
    int file = mkstemp(path);
    int source = open("/bin/true", O_RDONLY);
    char block[65536];
    for (ssize_t got; (got = read(source, block, sizeof block)) > 0;) CHECK_EQUAL(got, write(file, block, (size_t)got));
    fchmod(file, 0700);
    pid_t holder = fork();
    if (holder == 0) { usleep(20000); _exit(0); }
    close(file);
    start s;
    prepare(&s, "x"); s.options.file = path;
    int result = go(&s);
    unlink(path);
    CHECK_EQUAL(0, result);
    CHECK_EQUAL(0, wait_for(&s));
}

static void a_process_limit_gives_EAGAIN_after_a_few_attempts(void)
{
    if (geteuid() != 0) return;
    CHECK_EQUAL(0, setresuid(61234, 61234, 61234));
    struct rlimit none = { 1, 1 };
    CHECK_EQUAL(0, setrlimit(RLIMIT_NPROC, &none));
    start s;
    prepare(&s, "exit 0");
    CHECK_EQUAL(-EAGAIN, go(&s));
    CHECK_EQUAL(SM_STAGE_CLONE, s.result.stage);
    _exit(0);   // the leak checker would need a process of its own
}

static void a_program_that_dies_with_its_parent_does(void)
{
    int tell[2]; CHECK_EQUAL(0, pipe(tell));
    pid_t parent = fork();
    if (parent == 0) {
        start s;
        prepare(&s, "echo ready; exec sleep 100");
        s.options.flags = SM_SPAWN_DIE_WITH_PARENT;
        CHECK_EQUAL(0, go(&s));
        char ready[8]; CHECK_EQUAL(6, read(s.output, ready, sizeof ready));
        CHECK_EQUAL(sizeof s.result.pid, write(tell[1], &s.result.pid, sizeof s.result.pid));
        pause();
    }
    int32_t pid; CHECK_EQUAL(sizeof pid, read(tell[0], &pid, sizeof pid));
    int pidfd = sm_process_open(pid);
    CHECK(pidfd >= 0);
    CHECK_EQUAL(0, sm_process_wait(pid, pidfd, 50));
    kill(parent, SIGKILL);
    CHECK_EQUAL(1, sm_process_wait(pid, pidfd, 5000));
    waitpid(parent, NULL, 0);
}

static void the_options_must_have_the_size_of_this_ABI(void)
{
    start s;
    prepare(&s, "exit 0"); s.options.size--;
    CHECK_EQUAL(-EINVAL, sm_spawn(&s.options, &s.result));
    prepare(&s, "exit 0"); s.options.descriptor_count = 1025;
    CHECK_EQUAL(-EINVAL, sm_spawn(&s.options, &s.result));
}

int main(void)
{
    static const sm_test_case cases[] = {
        CASE(a_program_gets_its_arguments_environment_and_directory), CASE(a_failed_start_names_the_stage_and_leaves_nothing),
        CASE(a_name_is_searched_in_the_list_given), CASE(descriptors_are_mapped_through_swaps_and_cycles),
        CASE(the_standard_descriptors_can_be_swapped), CASE(everything_else_is_closed_even_above_a_lowered_limit),
        CASE(ignored_and_blocked_signals_are_reset), CASE(session_group_umask_nice_limits_and_no_new_privileges_are_set),
        CASE(the_user_and_the_groups_are_dropped_for_good), CASE(the_affinity_is_set), CASE(a_busy_program_file_is_retried),
        CASE(a_process_limit_gives_EAGAIN_after_a_few_attempts), CASE(a_program_that_dies_with_its_parent_does),
        CASE(the_options_must_have_the_size_of_this_ABI),
    };
    return sm_run_tests(cases, sizeof cases / sizeof *cases);
}
