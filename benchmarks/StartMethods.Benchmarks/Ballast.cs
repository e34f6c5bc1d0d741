namespace StartMethods.Benchmarks;

/// <summary>A managed heap of so many megabytes with every page touched: the weight a parent carries when it starts a child.</summary>
internal sealed class Ballast : IDisposable
{
    private byte[][] _blocks;

    internal Ballast(int megabytes)
    {
        _blocks = new byte[megabytes][];
        for (int i = 0; i < megabytes; i++)
        {
            _blocks[i] = GC.AllocateUninitializedArray<byte>(1 << 20);
            for (int page = 0; page < _blocks[i].Length; page += 4096)
                _blocks[i][page] = 1;
        }
    }

    public void Dispose()
    {
        GC.KeepAlive(_blocks);
        _blocks = [];
    }
}
