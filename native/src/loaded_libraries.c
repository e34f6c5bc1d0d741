// Which libraries are loaded. Those of the runtime and of the system release a lock in the call that took it; of others nobody knows.
#include "engine.h"

#include <link.h>
#include <string.h>

// By their names, up to the version. Where an application brings its runtime along (self-contained), libraries of its own lie in the same folder.
static const char *const known[] = {
    "libcoreclr.so", "libclrjit.so", "libclrgc.so", "libclrgcexp.so", "libmscordbi.so", "libmscordaccore.so", "libcoreclrtraceptprovider.so", "libhostfxr.so", "libhostpolicy.so",
    "libSystem.Native.so", "libSystem.Globalization.Native.so", "libSystem.IO.Compression.Native.so", "libSystem.IO.Ports.Native.so", "libSystem.Net.Security.Native.so",
    "libSystem.Security.Cryptography.Native.OpenSsl.so", "libstartmethods.so",
    "linux-vdso.so", "ld-linux-x86-64.so", "libc.so", "libm.so", "libdl.so", "libpthread.so", "librt.so", "libresolv.so", "libnss_files.so", "libnss_dns.so", "libgcc_s.so", "libstdc++.so",
    "libz.so", "libnuma.so", "libssl.so", "libcrypto.so", "libicuuc.so", "libicui18n.so", "libicudata.so", "libgssapi_krb5.so", "libkrb5.so", "libkrb5support.so", "libk5crypto.so",
    "libcom_err.so", "libkeyutils.so", "liblttng-ust.so", "liblttng-ust-common.so", "liblttng-ust-tracepoint.so",
};

typedef struct { int foreign; unsigned long long loaded; } library_list;

// The program itself, the first one, has no name.
static int is_known(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (*name == 0)
        return 1;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t length = strlen(known[i]);
        if (strncmp(name, known[i], length) == 0 && (name[length] == 0 || name[length] == '.'))
            return 1;
    }
    return 0;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *context)
{
    library_list *list = context;
    (void)size;
    list->loaded = info->dlpi_adds;
    list->foreign |= !is_known(info->dlpi_name);
    return list->foreign;
}

static int count_loaded(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    *(unsigned long long *)context = info->dlpi_adds;
    return 1;
}

// Takes the loader's lock. What was foreign once may have left locks behind, and is foreign for good.
int sm__has_foreign_libraries(void)
{
    static library_list list;
    unsigned long long loaded = 0;
    dl_iterate_phdr(count_loaded, &loaded);
    if (!list.foreign && list.loaded != loaded)
        dl_iterate_phdr(look_at, &list);
    return list.foreign;
}
