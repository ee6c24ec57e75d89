use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;

use serde_json::Value;

use super::*;

#[test]
fn shapes() {
    type Make<'a> = &'a dyn Fn() -> Result<Args, EncodeError>;
    let table: [(Make<'_>, &str); 13] = [
        (&|| Args::encode(&()), "[]"),
        (&|| Args::encode(&(1,)), "[1]"),
        (&|| Args::encode(&(1, "b", [2])), "[1,\"b\",[2]]"),
        (&|| Args::encode(&[1, 2]), "[1,2]"),
        (&|| Args::encode(&vec!["x"]), "[\"x\"]"),
        (&|| Args::encode(&Vec::<u8>::new()), "[]"),
        (&|| Args::encode(&(Vec::<u8>::new(),)), "[[]]"),
        (&|| Args::encode(&Value::Null), "[]"),
        (&|| Args::encode(&(Value::Null,)), "[null]"),
        (&|| Args::encode(&None::<()>), "[null]"),
        (&|| Args::encode(&Some((1, 2))), "[[1,2]]"),
        (&|| Args::encode(&BTreeMap::from([("a", 1)])), "[{\"a\":1}]"),
        (&|| Args::encode(&"text"), "[\"text\"]"),
    ];
    for (make, json) in table {
        assert_eq!(make().unwrap().json(), json);
    }
}

#[test]
fn what_has_no_json_form() {
    let map = BTreeMap::from([(vec![1u8], 1)]);
    assert!(Args::encode(&(map,)).is_err());
}

#[test]
fn texts_are_taken_apart() {
    let args = Args::new(" [ 1 , \"a,]\" , {\"b\" : [ 2 ] } ] ", vec![]).unwrap();
    assert_eq!(args.len(), 3);
    assert_eq!(args.iter().collect::<Vec<_>>(), ["1", "\"a,]\"", "{\"b\" : [ 2 ] }"]);
    assert_eq!(args.get::<u8>(0).unwrap(), 1);
    assert_eq!(args.get::<String>(1).unwrap(), "a,]");
    assert_eq!(args.get::<Value>(2).unwrap()["b"][0], 2);
    let none = Args::new("[ ]", vec![]).unwrap();
    assert!(none.is_empty());
    assert_eq!((none.len(), none.json()), (0, "[]".to_string()));
    assert_eq!(none, Args::default());
    for wrong in ["", "1", "{}", "[1", "[1]]", "\"[1]\""] {
        assert!(Args::new(wrong, vec![]).is_err(), "{wrong}");
    }
}

#[test]
fn one_several_all_and_none() {
    let args = Args::encode(&("a", 1, [true])).unwrap();
    assert_eq!(
        args.parse::<(String, i64, Vec<bool>)>().unwrap(),
        ("a".to_owned(), 1, vec![true])
    );
    assert_eq!(args.parse::<(String,)>().unwrap().0, "a");
    assert_eq!(args.parse::<String>().unwrap(), "a");
    assert_eq!(args.parse::<Option<String>>().unwrap(), Some("a".to_owned()));
    assert_eq!(args.parse::<Value>().unwrap(), serde_json::json!(["a", 1, [true]]));
    assert_eq!(args.parse::<Vec<Value>>().unwrap().len(), 3);
    assert_eq!(args.parse::<[Value; 2]>().unwrap()[1], 1);
    args.parse::<()>().unwrap();
    assert_eq!(args.parse::<Args>().unwrap(), args);
    assert_eq!(args.with_last("o\"f").json(), r#"["a",1,[true],"o\"f"]"#);

    let none = Args::default();
    none.parse::<()>().unwrap();
    assert_eq!(none.parse::<Option<u8>>().unwrap(), None);
    assert_eq!(none.parse::<(Option<u8>, ())>().unwrap(), (None, ()));
    assert_eq!(none.parse::<Vec<u8>>().unwrap(), Vec::<u8>::new());
    assert_eq!(none.get::<Option<u8>>(3).unwrap(), None);
    assert_eq!(none.with_last("x").json(), "[\"x\"]");
}

#[test]
fn wrong_arguments_say_which() {
    let args = Args::encode(&("a", 1)).unwrap();
    let error = args.parse::<(String, String)>().unwrap_err();
    assert_eq!(error.index(), Some(1));
    assert!(error.to_string().starts_with("argument 1: invalid type"), "{error}");
    let error = args.parse::<(String, i64, bool)>().unwrap_err();
    assert_eq!(error.to_string(), "argument 2: missing");
    assert_eq!(args.get::<u8>(2).unwrap_err().to_string(), "argument 2: missing");
    assert_eq!(args.get::<u8>(0).unwrap_err().index(), Some(0));
    assert_eq!(
        Args::default().parse::<u8>().unwrap_err().to_string(),
        "argument 0: missing"
    );
}

#[test]
fn nesting_that_serde_refuses_is_an_error() {
    let deep = "[".repeat(5000) + &"]".repeat(5000);
    let args = Args::from_elements(deep.into(), vec![]);
    assert!(args.parse::<Value>().is_err());
    assert!(args.get::<Value>(0).is_err());
    assert_eq!(args.len(), 1);
}

#[test]
fn lone_surrogates_are_kept_in_the_text_and_replaced_in_values() {
    let args = Args::new(r#"["\ud800",{"\udfff":"\ud83d\ude00"}]"#, vec![]).unwrap();
    assert_eq!(args.json(), r#"["\ud800",{"\udfff":"\ud83d\ude00"}]"#);
    let (text, map): (String, BTreeMap<String, String>) = args.parse().unwrap();
    assert_eq!(text, "\u{fffd}");
    assert_eq!(map["\u{fffd}"], "😀");
    assert_eq!(args.get::<String>(0).unwrap(), "\u{fffd}");
}

#[cfg(feature = "std")]
mod binary {
    use super::*;

    #[test]
    fn bytes_go_there_and_back_without_a_copy() {
        let bytes = Bytes::from(vec![7; 100]);
        let value = ("name", BTreeMap::from([("deep", [Some(Binary(bytes.clone())), None])]));
        let args = Args::encode(&value).unwrap();
        assert_eq!(args.json(), r#"["name",{"deep":[{"_placeholder":true,"num":0},null]}]"#);
        assert_eq!(args.attachments()[0].as_ptr(), bytes.as_ptr());

        let (_, map): (String, BTreeMap<String, Vec<Option<Binary>>>) = args.parse().unwrap();
        assert_eq!(map["deep"][0].as_ref().unwrap().as_ptr(), bytes.as_ptr());
        let value: BTreeMap<String, Vec<Option<Binary>>> = args.get(1).unwrap();
        assert_eq!(value["deep"][0].as_ref().unwrap().as_ptr(), bytes.as_ptr());
    }

    #[test]
    fn a_single_one() {
        let args = Args::encode(&Binary::from(vec![1])).unwrap();
        assert_eq!(
            (args.json().as_str(), args.attachments().len()),
            (r#"[{"_placeholder":true,"num":0}]"#, 1)
        );
        assert_eq!(args.parse::<Binary>().unwrap(), [1][..]);
        assert_eq!(args.parse::<(Binary,)>().unwrap().0, [1][..]);
    }

    #[test]
    fn what_is_no_attachment() {
        let args = Args::new(
            r#"[{"_placeholder":true,"num":0},"x",[1,2],{"_placeholder":true,"num":0.5}]"#,
            vec![],
        )
        .unwrap();
        for index in 0..4 {
            assert!(args.get::<Binary>(index).is_err(), "{index}");
        }
        // Nobody marked it as binary: it is data.
        assert_eq!(args.get::<Value>(0).unwrap()["num"], 0);
    }

    #[test]
    fn outside_of_arguments_it_is_bytes() {
        assert_eq!(serde_json::to_string(&Binary::from(vec![1, 2])).unwrap(), "[1,2]");
        assert_eq!(serde_json::from_str::<Binary>("[1,2]").unwrap(), [1, 2][..]);
        assert_eq!(Json::encode(&Binary::from(vec![1])).unwrap().as_str(), "[1]");
    }

    #[test]
    fn arguments_inside_of_arguments_keep_apart() {
        struct Nested;

        impl serde_core::Serialize for Nested {
            fn serialize<S: serde_core::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let inner = Args::encode(&(Binary::from(vec![9]), Binary::from(vec![8]))).unwrap();
                assert_eq!(inner.attachments().len(), 2);
                assert_eq!(inner.parse::<(Binary,)>().unwrap().0, [9][..]);
                Binary::from(vec![5]).serialize(serializer)
            }
        }

        let args = Args::encode(&(Binary::from(vec![4]), Nested)).unwrap();
        assert_eq!(
            args.json(),
            r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#
        );
        assert_eq!(args.attachments(), [vec![4], vec![5]]);
    }

    #[test]
    fn a_panic_leaves_no_scope_behind() {
        struct Panics;

        impl serde_core::Serialize for Panics {
            fn serialize<S: serde_core::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                panic!("on purpose");
            }
        }

        std::panic::set_hook(std::boxed::Box::new(|_| {}));
        let result = std::panic::catch_unwind(|| Args::encode(&(Binary::from(vec![1]), Panics)));
        drop(std::panic::take_hook());
        assert!(result.is_err());
        assert_eq!(serde_json::to_string(&Binary::from(vec![1])).unwrap(), "[1]");
    }
}
