"""Fill the site of members: `python -m members.fill COUNT`. Prints the fields of each as JSON, by email address."""

import json
import os
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal


def fill(count: int) -> None:
    from members.models import Employer, Member, Membership, Order

    employer = Employer.objects.create(id=7, name="Finch Ltd.")
    expected = {}
    for number in range(1, count + 1):
        user = Member.objects.create(
            username=f"member{number}", email=f"member{number}@example.com", password="!",
            phone=f"+4420{79460000 + number}" if number % 3 else "",
            company=f"Company {number}, =1+{number}" if number % 4 else None,
            newsletter=number % 2 == 0, plan="pro" if number % 5 == 0 else "basic",
            employer=employer if number % 6 == 0 else None, city="Zürich" if number % 7 else "",
        )  # fmt: skip
        known = {
            "phone": user.phone, "company": user.company, "newsletter": user.newsletter, "plan": user.plan,
            "city": user.city, "employer": user.employer_id,
        }  # fmt: skip
        if number % 4:
            member = Membership.objects.create(
                user=user, since=date(2020, 1, 1) + timedelta(days=number),
                seen=datetime(2024, 2, 3, 4, 5, 6, number * 1000, tzinfo=UTC) if number % 2 else None,
                rate=Decimal(0) if number == 1 else Decimal(number) / 8, score=number / 1e7 if number % 2 else None,
                topics=["news", "tips, tricks"][: number % 3], website=f"https://example.com/{number}",
                notes=f"First line\nof {number}" if number % 2 else "", customer_number=f"{number:06}",
            )  # fmt: skip
            known |= {
                "since": str(member.since), "topics": member.topics, "website": member.website, "notes": member.notes,
                "customer_number": member.customer_number,
                "seen": member.seen and member.seen.isoformat().replace("+00:00", "Z"),
                "rate": format(Decimal(member.rate).quantize(Decimal("1e-10")), "f"),
                "score": member.score and format(Decimal(str(member.score)), "f"),
            }  # fmt: skip
        for _order in range(2):
            Order.objects.create(user=user, phone="+442079469999")
        expected[user.email] = {name: value for name, value in known.items() if value not in (None, "", [])}
    print(json.dumps(expected))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "member_settings")
    import django

    django.setup()
    fill(int(sys.argv[1]))
