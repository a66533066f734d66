"""What the three kinds of HTML pages share: forms, CSRF tokens, messages after a redirect, redirects, saved forms."""
