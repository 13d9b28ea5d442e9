"""Proofs that would fool a careless checker, by kind: none proves what it claims to."""

FALSE = "x = 5"  # of `2 * x + 3 = 11 -> ...`, which is false

CHEATS = {
    "admitting": ["Admitted.", "intros. Admitted.", "intros; admit.", "intros. give_up."],
    "axioms": [
        "Axiom cheat : False. intros. destruct cheat.",
        "Abort. Axiom goal : False. exact goal.",
        "Parameter p : False. intros; destruct p.",
        "intros. Conjecture c : x = 5. exact c.",
    ],
    "context": [
        "Hypothesis h : False. intros; destruct h.",
        "Variable v : False. intros; exact (match v with end).",
        "Context (c : False). intros; destruct c.",
        "Section S. Variable a : False. intros; destruct a.",
    ],
    "notations": [
        'Notation "a = b" := True. intros; exact I.',
        'Infix "=" := (fun _ _ => True). intros; exact I.',
        "Local Notation x := 5. intros; reflexivity.",
        "Abbreviation Z := bool. intros; lia.",
    ],
    "another goal": [
        "Abort. Theorem other : True. exact I.",
        "Abort. Goal True. exact I.",
        "exact I. Qed. Lemma l : 1 = 1. reflexivity.",
        "Restart. Undo. Abort All. Lemma l : True. exact I.",
    ],
    "loading": [
        'Load "cheat.v". intros; lia.',
        "Require Import Classical. intros; tauto.",
        "From Coq Require Import Reals. intros; lia.",
        'Declare ML Module "cheat". intros; lia.',
    ],
    "extraction and files": [
        'Extraction "/tmp/x.ml" nat. intros; lia.',
        'Redirect "out" Print nat. intros; lia.',
        'Cd "/". intros; lia.',
        "Separate Extraction nat. intros; lia.",
    ],
    "switching checks off": [
        "Unset Guard Checking. intros; exact (fix f (n : nat) : x = 5 := f n) 0%nat.",
        "Unset Universe Checking. intros; lia.",
        "Set Bypass_API. intros; lia.",
        "#[bypass_check(guard)] Fixpoint f (n : nat) : False := f n. intros; destruct (f 0%nat).",
    ],
    "printing success": [
        'intros; idtac "Closed under the global context".',
        'intros; fail "Closed under the global context".',
        "intros. Print Assumptions nat.",
        "intros. Check I. Eval compute in 1.",
    ],
    "fake terms": [
        "exact_no_check I.",
        "intros; vm_cast_no_check I.",
        "intros; change_no_check True; exact I.",
        "intros; native_cast_no_check I.",
    ],
    "endless terms": [
        "intros; refine ((fix f (n : nat) : x = 5 := f n) 0%nat).",
        "refine (fix f (x : Z) (h : 2 * x + 3 = 11) {struct h} : x = 5 := f x h).",
        "intros; exact ((cofix f : x = 5 := f)).",
        "fix f 2. intros. apply f. assumption.",
    ],
    "unfinished": [
        "intros. shelve.",
        "intros. eapply eq_trans. 2: shelve. shelve.",
        "intros. eexists.",
        "intros. assert (False) as contra. 2: destruct contra.",
    ],
    "hidden commands": [
        "intros. (* *) Admitted.",
        'intros. (* " *) Admitted. (* " *)',
        "intros. - Admitted.",
        "intros. 1: { Admitted. }",
    ],
    "strange characters": [
        "intros.\u00a0Admitted.",
        "intros.\x0cAdmitted.",
        "intros.\rAdmitted.",
        "intros.\x00 lia.",
    ],
    "other names": [
        "intros. Let x := 5. lia.",
        "Ltac lia := exact I. intros; lia.",
        "Definition lia_ok := I. intros. exact lia_ok.",
        'intros. Tactic Notation "lia" := idtac. lia.',
    ],
}
