using StartMethods;
using TestChild;
using TestChild.Children;
using TestChild.ForkServers;
using TestChild.Forking;
using TestChild.Spawning;

// A program with one verb per behaviour, used by the process tests instead of shell tools: dotnet TestChild.dll VERB [ARGUMENT…].
// The exit code is the verb's; 64 is a verb that does not exist.
if (Environment.GetEnvironmentVariable("SM_TEST_METHOD") is { } method)
    StartMethod.Default = StartMethod.Get(method);
Dictionary<string, Verb> verbs = [];
SpawnVerbs.AddTo(verbs);
FaultVerbs.AddTo(verbs);
ChildVerbs.AddTo(verbs);
ForkVerbs.AddTo(verbs);
ForkServerVerbs.AddTo(verbs);

if (args.Length > 0 && verbs.TryGetValue(args[0], out Verb? verb))
    return await verb(args[1..]);
Console.Error.WriteLine($"TestChild: unknown verb '{(args.Length > 0 ? args[0] : "")}'; there are: {string.Join(", ", verbs.Keys)}");
return 64;
