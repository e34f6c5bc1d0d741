using System.Reflection;
using System.Reflection.Emit;

namespace StartMethods.Payloads;

/// <summary>Straight-line code for the fields of one type: what the loops of <see cref="FieldsPlan"/> do, without reflection and boxes.</summary>
internal static class FieldsCompiler
{
    private const BindingFlags Any = BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public;

    internal static void Compile(Type owner, FieldInfo[] fields, Codec[] codecs,
        out Action<GraphWriter, object, Codec[]> write, out Action<GraphReader, object, Codec[]> read)
    {
        // skipVisibility: the fields are private, and a readonly field may be stored to in such code.
        var writeMethod = new DynamicMethod("Write " + owner.Name, null, [typeof(GraphWriter), typeof(object), typeof(Codec[])], typeof(FieldsCompiler).Module, skipVisibility: true);
        var readMethod = new DynamicMethod("Read " + owner.Name, null, [typeof(GraphReader), typeof(object), typeof(Codec[])], typeof(FieldsCompiler).Module, skipVisibility: true);
        ILGenerator w = writeMethod.GetILGenerator(), r = readMethod.GetILGenerator();
        OpCode cast = owner.IsValueType ? OpCodes.Unbox : OpCodes.Castclass;
        for (int i = 0; i < fields.Length; i++)
        {
            EmitWrite(w, cast, owner, fields[i], codecs[i], i);
            EmitRead(r, cast, owner, fields[i], codecs[i], i);
        }
        w.Emit(OpCodes.Ret);
        r.Emit(OpCodes.Ret);
        write = writeMethod.CreateDelegate<Action<GraphWriter, object, Codec[]>>();
        read = readMethod.CreateDelegate<Action<GraphReader, object, Codec[]>>();
    }

    private static void EmitWrite(ILGenerator il, OpCode cast, Type owner, FieldInfo field, Codec codec, int index)
    {
        if (Direct(field.FieldType, "Write") is { } direct)
        {
            il.Emit(OpCodes.Ldarg_0);
            EmitField(il, cast, owner, field);
            il.Emit(OpCodes.Call, direct);
            return;
        }
        bool isTyped = EmitCodec(il, field, codec, index, out Type codecType);
        il.Emit(OpCodes.Ldarg_0);
        EmitField(il, cast, owner, field);
        if (!isTyped && field.FieldType.IsValueType)
            il.Emit(OpCodes.Box, field.FieldType);
        il.Emit(OpCodes.Callvirt, isTyped ? codecType.GetMethod("Write", Any)! : codecType.GetMethod("WriteBoxed", Any)!);
    }

    private static void EmitRead(ILGenerator il, OpCode cast, Type owner, FieldInfo field, Codec codec, int index)
    {
        // What is read may replace nothing that is on the evaluation stack: the object is loaded first, then the value is read.
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(cast, owner);
        if (Direct(field.FieldType, "Read") is { } direct)
        {
            il.Emit(OpCodes.Ldarg_0);
            il.Emit(OpCodes.Call, direct);
        }
        else
        {
            bool isTyped = EmitCodec(il, field, codec, index, out Type codecType);
            il.Emit(OpCodes.Ldarg_0);
            il.Emit(OpCodes.Callvirt, isTyped ? codecType.GetMethod("Read", Any)! : codecType.GetMethod("ReadBoxed", Any)!);
            if (!isTyped)
                il.Emit(OpCodes.Unbox_Any, field.FieldType);
        }
        il.Emit(OpCodes.Stfld, field);
    }

    private static void EmitField(ILGenerator il, OpCode cast, Type owner, FieldInfo field)
    {
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(cast, owner);
        il.Emit(OpCodes.Ldfld, field);
    }

    private static bool EmitCodec(ILGenerator il, FieldInfo field, Codec codec, int index, out Type codecType)
    {
        Type typed = typeof(Codec<>).MakeGenericType(field.FieldType);
        bool isTyped = typed.IsInstanceOfType(codec);
        codecType = isTyped ? typed : typeof(Codec);
        il.Emit(OpCodes.Ldarg_2);
        il.Emit(OpCodes.Ldc_I4, index);
        il.Emit(OpCodes.Ldelem_Ref);
        il.Emit(OpCodes.Castclass, codecType);
        return isTyped;
    }

    private static MethodInfo? Direct(Type type, string verb) => Type.GetTypeCode(type.IsEnum ? Enum.GetUnderlyingType(type) : type) switch
    {
        TypeCode.Int32 => Method(verb + "Int32"),
        TypeCode.Int64 => Method(verb + "Int64"),
        TypeCode.UInt64 => Method(verb + "UInt64"),
        TypeCode.Double => Method(verb + "Double"),
        TypeCode.Single => Method(verb + "Single"),
        TypeCode.Boolean => Method(verb + "Boolean"),
        TypeCode.String => Method(verb + "String"),
        _ => null,
    };

    private static MethodInfo Method(string name) => name.StartsWith('W')
        ? typeof(MessagePackWriter).GetMethod(name, Any, [ParameterOf(name)])!
        : typeof(MessagePackReader).GetMethod(name, Any, [])!;

    private static Type ParameterOf(string name) => name switch
    {
        "WriteInt32" => typeof(int), "WriteInt64" => typeof(long), "WriteUInt64" => typeof(ulong), "WriteDouble" => typeof(double),
        "WriteSingle" => typeof(float), "WriteBoolean" => typeof(bool), _ => typeof(string),
    };
}
