;; -*- lexical-binding: t -*-
;; Loads the documented configuration, runs a plan and prints what it saw, one JSON object a line.
;; Arguments after `--': the configuration, the server's words as JSON, the plan.

(setq native-comp-jit-compilation nil native-comp-enable-subr-trampolines nil
      debug-on-error nil eglot-sync-connect 20 eglot-autoshutdown nil eglot-events-buffer-size 0
      eglot-confirm-server-edits nil make-backup-files nil auto-save-default nil)
(require 'json)
(defvar check-arguments (cdr (member "--" command-line-args)))
(setq command-line-args-left nil)
(load (nth 0 check-arguments) nil t)
(setq goalproof-program (append (json-parse-string (nth 1 check-arguments)) nil))

(defvar check-told nil)
(cl-defmethod eglot-handle-notification :after
  (_server (_method (eql goal/progress)) &key status done total rev &allow-other-keys)
  (push (list :status status :done done :total total :rev rev :line (goalproof-mode-line)) check-told))

(defun check-say (name value)
  (princ (concat (json-serialize (list (intern (concat ":" name)) value)) "\n")))

(defun check-wait (seconds predicate)
  "Let the server speak until PREDICATE holds."
  (let ((end (+ (float-time) seconds)) found)
    (while (and (not (setq found (funcall predicate))) (< (float-time) end))
      (accept-process-output nil 0.05))
    found))

(defun yes-or-no-p (prompt) (check-say "asked" prompt) t)

(find-file (nth 2 check-arguments))
(conf-toml-mode)
(apply #'eglot (list 'conf-toml-mode (project-current t) 'eglot-lsp-server #'goalproof--start "toml"))
(check-say "server" (or (plist-get (eglot--server-info (eglot-current-server)) :name) :null))
(check-say "refused" (condition-case fault (progn (goalproof-run-plan buffer-file-name) :null)
                       (error (format "%S" fault))))
(goalproof-trust)
(goalproof-approve-gates)
(check-say "goal" (plist-get (goalproof-run-plan buffer-file-name) :status))
(check-wait 40 (lambda () (seq-find (lambda (told) (equal (plist-get told :status) "ready")) check-told)))
(check-say "told" (vconcat (reverse check-told)))
(goalproof-apply)
(check-wait 10 (lambda () (with-current-buffer (find-file-noselect "calc.py")
                            (save-excursion (goto-char 1) (search-forward "a + b" nil t)))))
(check-say "text" (with-current-buffer (find-file-noselect "calc.py") (buffer-string)))
(eglot-shutdown (eglot-current-server))
(kill-emacs 0)
