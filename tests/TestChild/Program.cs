// A program with one verb per behaviour, used by the process tests instead of shell tools.
Console.Error.WriteLine($"TestChild: unknown verb '{(args.Length > 0 ? args[0] : "")}'");
return 64;
