using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[assembly: DisableRuntimeMarshalling]

namespace StartMethods.Interop;

/// <summary>The functions of libstartmethods: one file a section of <c>native/include/startmethods.h</c> (<c>Native.Spawn.cs</c> …).</summary>
/// <remarks>The only class with <see cref="LibraryImportAttribute"/>. Every function returns ≥ 0 or −errno: see <see cref="NativeError"/>.</remarks>
internal static partial class Native
{
    internal const string Library = "startmethods";

    /// <summary>The ABI this assembly was written against: SM_ABI_VERSION of the header.</summary>
    internal const int AbiVersion = 1;

    private static readonly Lazy<string?> Unavailable = new(Probe);

    /// <summary>Why the native library cannot be used here, in one sentence; null where it can.</summary>
    internal static string? UnavailableReason => Unavailable.Value;

    /// <summary>Whether the portable path (no native library) is used: on other systems, or because <c>STARTMETHODS_PORTABLE=1</c> asks for it.</summary>
    internal static bool IsPortable => UnavailableReason is not null;

    [LibraryImport(Library, EntryPoint = "sm_abi_version")]
    private static partial int AbiVersionOfLibrary();

    private static string? Probe()
    {
        if (Environment.GetEnvironmentVariable("STARTMETHODS_PORTABLE") == "1")
            return "STARTMETHODS_PORTABLE=1 selects the portable path";
        if (!OperatingSystem.IsLinux())
            return $"the native library exists for Linux only, and this is {RuntimeInformation.OSDescription}";
        try
        {
            int version = AbiVersionOfLibrary();
            return version == AbiVersion
                ? null
                : $"libstartmethods.so has ABI {version}, StartMethods.dll needs {AbiVersion}: files of two package versions are mixed in {AppContext.BaseDirectory}";
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            return $"libstartmethods.so for {RuntimeInformation.RuntimeIdentifier} was not found or does not load: {e.Message}";
        }
    }
}
