//! Macro for implementations on functions and tuples of up to 16 elements.

/// Calls a macro with the type parameters of 1 to 16 arguments, the last one separately. Each
/// argument has its type and a marker type for its extraction.
#[rustfmt::skip]
macro_rules! for_each_arity {
    ($macro:ident) => {
        $macro!(; T1 V1);
        $macro!(T1 V1; T2 V2);
        $macro!(T1 V1, T2 V2; T3 V3);
        $macro!(T1 V1, T2 V2, T3 V3; T4 V4);
        $macro!(T1 V1, T2 V2, T3 V3, T4 V4; T5 V5);
        $macro!(T1 V1, T2 V2, T3 V3, T4 V4, T5 V5; T6 V6);
        $macro!(T1 V1, T2 V2, T3 V3, T4 V4, T5 V5, T6 V6; T7 V7);
        $macro!(T1 V1, T2 V2, T3 V3, T4 V4, T5 V5, T6 V6, T7 V7; T8 V8);
        $macro!(T1 V1, T2 V2, T3 V3, T4 V4, T5 V5, T6 V6, T7 V7, T8 V8; T9 V9);
        $macro!(T1 V1, T2 V2, T3 V3, T4 V4, T5 V5, T6 V6, T7 V7, T8 V8, T9 V9; T10 V10);
        $macro!(T1 V1, T2 V2, T3 V3, T4 V4, T5 V5, T6 V6, T7 V7, T8 V8, T9 V9, T10 V10; T11 V11);
        $macro!(T1 V1, T2 V2, T3 V3, T4 V4, T5 V5, T6 V6, T7 V7, T8 V8, T9 V9, T10 V10, T11 V11; T12 V12);
        $macro!(T1 V1, T2 V2, T3 V3, T4 V4, T5 V5, T6 V6, T7 V7, T8 V8, T9 V9, T10 V10, T11 V11, T12 V12; T13 V13);
        $macro!(T1 V1, T2 V2, T3 V3, T4 V4, T5 V5, T6 V6, T7 V7, T8 V8, T9 V9, T10 V10, T11 V11, T12 V12, T13 V13; T14 V14);
        $macro!(T1 V1, T2 V2, T3 V3, T4 V4, T5 V5, T6 V6, T7 V7, T8 V8, T9 V9, T10 V10, T11 V11, T12 V12, T13 V13, T14 V14; T15 V15);
        $macro!(T1 V1, T2 V2, T3 V3, T4 V4, T5 V5, T6 V6, T7 V7, T8 V8, T9 V9, T10 V10, T11 V11, T12 V12, T13 V13, T14 V14, T15 V15; T16 V16);
    };
}

pub(crate) use for_each_arity;
