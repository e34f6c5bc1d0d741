using StartMethods.Interop;

namespace StartMethods.Tests;

public class NativeTests
{
    [Test]
    public void The_native_library_is_found_and_speaks_our_ABI() => Assert.That(Native.UnavailableReason, Is.Null);
}
