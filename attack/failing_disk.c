/* Makes the k-th call of one kind fail under one folder; loaded by LD_PRELOAD.
 *
 * arm_fault chooses the call; fault_came tells whether it was reached. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NONE, OPEN, WRITE, FSYNC, RENAME };

static char folder[PATH_MAX];
static int armed = NONE, error_number;
static long calls_left;
static int came;

void arm_fault(const char *path, int kind, long call, int error) {
    __atomic_store_n(&armed, NONE, __ATOMIC_SEQ_CST);
    snprintf(folder, sizeof folder, "%s/", path);
    error_number = error;
    calls_left = call;
    came = 0;
    __atomic_store_n(&armed, kind, __ATOMIC_SEQ_CST);
}

int fault_came(void) { return came; }

static int inside(const char *path) { return strncmp(path, folder, strlen(folder)) == 0; }

static int inside_fd(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return inside(path);
}

/* Whether this call, which lies in the folder, is the one that fails. */
static int strikes(void) {
    if (__atomic_sub_fetch(&calls_left, 1, __ATOMIC_SEQ_CST) != 0) return 0;
    came = 1;
    errno = error_number;
    return 1;
}

#define REAL(type, name) static type (*real)(); if (!real) real = (type (*)())dlsym(RTLD_NEXT, name)

#define OPENING(name)                                                           \
    int name(const char *path, int flags, ...) {                                \
        va_list arguments;                                                      \
        va_start(arguments, flags);                                             \
        int mode = va_arg(arguments, int);                                      \
        va_end(arguments);                                                      \
        REAL(int, #name);                                                       \
        if (armed == OPEN && inside(path) && strikes()) return -1;              \
        return real(path, flags, mode);                                         \
    }
OPENING(open)
OPENING(open64)

#define OPENING_AT(name)                                                        \
    int name(int at, const char *path, int flags, ...) {                        \
        va_list arguments;                                                      \
        va_start(arguments, flags);                                             \
        int mode = va_arg(arguments, int);                                      \
        va_end(arguments);                                                      \
        REAL(int, #name);                                                       \
        if (armed == OPEN && (inside(path) || (path[0] != '/' && inside_fd(at))) && strikes()) \
            return -1;                                                          \
        return real(at, path, flags, mode);                                     \
    }
OPENING_AT(openat)
OPENING_AT(openat64)

/* Without an error number a write takes half of what it is given. */
#define WRITING(name, last, parameter)                                          \
    ssize_t name(int fd, const void *data, size_t size last) {                  \
        REAL(ssize_t, #name);                                                   \
        if (armed == WRITE && inside_fd(fd) && strikes()) {                     \
            if (error_number) return -1;                                        \
            size = (size + 1) / 2;                                              \
        }                                                                       \
        return real(fd, data, size parameter);                                  \
    }
#define COMMA ,
WRITING(write, , )
WRITING(pwrite, COMMA off_t offset, COMMA offset)
WRITING(pwrite64, COMMA off_t offset, COMMA offset)

#define WRITING_PARTS(name, last, parameter)                                    \
    ssize_t name(int fd, const struct iovec *parts, int count last) {           \
        REAL(ssize_t, #name);                                                   \
        if (armed == WRITE && inside_fd(fd) && strikes()) {                     \
            if (error_number) return -1;                                        \
            struct iovec half = {parts[0].iov_base, (parts[0].iov_len + 1) / 2}; \
            return real(fd, &half, 1 parameter);                                \
        }                                                                       \
        return real(fd, parts, count parameter);                                \
    }
WRITING_PARTS(writev, , )
WRITING_PARTS(pwritev, COMMA off_t offset, COMMA offset)

#define SYNCING(name)                                                           \
    int name(int fd) {                                                          \
        REAL(int, #name);                                                       \
        if (armed == FSYNC && inside_fd(fd) && strikes()) return -1;            \
        return real(fd);                                                        \
    }
SYNCING(fsync)
SYNCING(fdatasync)

int rename(const char *from, const char *to) {
    REAL(int, "rename");
    if (armed == RENAME && inside(to) && strikes()) return -1;
    return real(from, to);
}

int renameat(int from_at, const char *from, int to_at, const char *to) {
    REAL(int, "renameat");
    if (armed == RENAME && inside(to) && strikes()) return -1;
    return real(from_at, from, to_at, to);
}
