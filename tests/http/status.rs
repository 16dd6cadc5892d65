//! Status codes and their classes.

use tidegate::http::Status;

#[test]
fn first_digit_of_a_status_determines_its_class() {
    for (code, class) in [
        (100, "interim"),
        (199, "interim"),
        (200, "success"),
        (203, "success"),
        (299, "success"),
        (300, "redirection"),
        (308, "redirection"),
        (399, "redirection"),
        (400, "another"),
        (403, "another"),
        (502, "another"),
        (503, "another"),
        (999, "another"),
    ] {
        let status = Status::new(code).unwrap();
        let is = (status.is_interim(), status.is_success(), status.is_redirection());
        let expected = (class == "interim", class == "success", class == "redirection");
        assert_eq!(is, expected, "{code}");
    }
}

#[test]
fn status_has_three_digits() {
    assert_eq!(Status::new(99), None);
    assert_eq!(Status::new(1000), None);
    assert_eq!(Status::new(999).unwrap().to_string(), "999");
}
